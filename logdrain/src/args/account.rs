//! `logdrain account`.

use crate::args::server::ServerArgs;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
pub(crate) struct AccountArgs {
    #[command(subcommand)]
    pub(crate) action: AccountAction,
    /// The folder of the store
    #[arg(long, global = true, value_name = "DIR", default_value = "logdrain-data")]
    pub(crate) store: PathBuf,
    /// Whose it is: members, tokens, plan, filters
    #[arg(long, global = true, value_name = "NAME", default_value = "default")]
    pub(crate) account: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountAction {
    /// Print what an account has and used today: plan, volume by system and program, members, destinations
    Status(ServerArgs),
    /// Print the accounts of a server, and their plans
    List(ServerArgs),
    /// Make an account
    Create {
        /// 1 to 63 of a-z, 0-9 and -
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Give an account another plan, or say what that would change
    #[command(after_help = "\
Examples:
  logdrain account plan volmar --dry-run --server localhost:8514
  logdrain account plan own.toml --account shop --server https://logs.example.com")]
    Plan {
        /// A plan by its name, or a file that holds one; `none` for no plan
        #[arg(value_name = "PLAN")]
        plan: String,
        /// Say what it would change, and change nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Drop a class of lines before they are kept; metrics are counted before
    #[command(subcommand)]
    Filter(FilterAction),
    /// Add, list and remove members, who sign in
    #[command(subcommand)]
    Member(MemberAction),
    /// Add, list and remove tokens, by which programs come in
    #[command(subcommand)]
    Token(TokenAction),
    /// Take kept lines of an account out of everything, for good: files of lines, archives, the journal
    #[command(after_help = "\
Examples:
  logdrain account purge default --query 4111-2222 --dry-run
  logdrain account purge shop --system 'web-*' --query email --from yesterday

What is purged is gone: lines, their copies in archives, and what the journal keeps of them. Rows of minutes stay, for they \
are numbers and tags. Lines that come later stay, too.")]
    Purge(PurgeArgs),
    /// Say into which bucket archives are put, and try it out
    #[command(subcommand)]
    Bucket(BucketAction),
    /// Destroy an account with all that is kept of it, for good
    #[command(after_help = "\
Examples:
  logdrain account destroy shop
  logdrain account destroy shop --archives-to shop-archives --confirm shop

It asks for the account's name to be typed once more. An account to which a drain of the configuration or an add-on still \
sends is not destroyed: take that away first.")]
    Destroy(DestroyArgs),
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum MemberAction {
    /// Add a member, and print the one-time link by which he sets his password
    Add {
        /// His e-mail address
        #[arg(value_name = "EMAIL")]
        email: String,
        /// He changes nothing
        #[arg(long)]
        read_only: bool,
        /// He sees the systems of this group alone, by its name or number; may be given again
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// He may add and remove members
        #[arg(long)]
        manage_members: bool,
        /// He may change the plan
        #[arg(long)]
        change_plans: bool,
        /// He may have lines deleted
        #[arg(long)]
        purge: bool,
    },
    /// Print a new one-time link, for who has lost his password
    Link {
        #[arg(value_name = "EMAIL")]
        email: String,
    },
    /// Print the members and their rights
    List,
    /// Remove a member with his tokens and sessions
    Remove {
        #[arg(value_name = "EMAIL")]
        email: String,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TokenAction {
    /// Make a token, and print it: it is not to be had again
    Add {
        /// What it is for
        #[arg(long, value_enum, default_value_t = TokenKind::Admin, value_name = "KIND")]
        kind: TokenKind,
        /// Whose it is: it sees his groups, has his rights, and ends with him; the account's own when left out
        #[arg(long, value_name = "EMAIL")]
        member: Option<String>,
        /// What you call it
        #[arg(long, value_name = "TEXT", default_value = "")]
        name: String,
    },
    /// Print the tokens: number, kind, first letters, whose, name
    List,
    /// Remove a token
    Remove {
        /// Its number, as `list` prints it
        #[arg(value_name = "NUMBER")]
        id: u32,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum FilterAction {
    /// Print the filters, and what each dropped today
    List(ServerArgs),
    /// Add one
    #[command(after_help = "\
Examples:
  logdrain account filter preview 'heroku/router: .*status=403' --regex --server localhost:8514
  logdrain account filter add 'heroku/router: .*status=403' --regex --server localhost:8514")]
    Add {
        #[command(flatten)]
        what: FilterText,
        /// What you call it; the beginning of its text when left out
        #[arg(long, value_name = "TEXT", default_value = "")]
        name: String,
        /// It drops nothing yet
        #[arg(long)]
        off: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Say what one would have dropped of the lines of the last hour
    Preview {
        #[command(flatten)]
        what: FilterText,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Switch one on
    On(FilterNumber),
    /// Switch one off; it stays
    Off(FilterNumber),
    /// Remove one
    Remove(FilterNumber),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct FilterText {
    /// A text that `program: message` holds, as `heroku/router: at=info`; capitals count
    #[arg(value_name = "TEXT")]
    pub(crate) text: String,
    /// It is a regular expression
    #[arg(long)]
    pub(crate) regex: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct FilterNumber {
    /// Its number, as `list` prints it
    #[arg(value_name = "NUMBER")]
    pub(crate) id: u32,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum TokenKind {
    /// Whatever its member may do
    Admin,
    /// Reading alone
    Read,
    /// Sending measurements alone, to /v1/measurements and /v1/metrics
    Record,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BucketAction {
    /// Print it, and how uploading goes
    Show(ServerArgs),
    /// Say which it is: archives go there from now on, also those that are there already
    #[command(after_help = "\
Examples:
  logdrain account bucket set logs-of-shop --region eu-central-1 --key-id AKIAEXAMPLE --secret-file s3.key \
--server https://logs.example.com
  logdrain account bucket test --server https://logs.example.com")]
    Set {
        /// Its name
        #[arg(value_name = "BUCKET")]
        bucket: String,
        /// Where it lies
        #[arg(long, value_name = "REGION", default_value = "us-east-1")]
        region: String,
        /// A server that speaks as S3 does, as `https://s3.example.com`; AWS when left out
        #[arg(long, value_name = "URL")]
        endpoint: Option<String>,
        /// What keys begin with, before the account
        #[arg(long, value_name = "TEXT")]
        prefix: Option<String>,
        /// The id of the access key
        #[arg(long, value_name = "ID")]
        key_id: String,
        /// The file that holds the secret access key; the one that is known when left out
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Write an object there, and remove it
    Test(ServerArgs),
    /// Upload no more; what is in the bucket stays there
    Remove(ServerArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DestroyArgs {
    /// The account
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Its name once more, where nobody is there to type it
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
    /// Copy its archives to this folder first
    #[arg(long, value_name = "FOLDER")]
    pub(crate) archives_to: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PurgeArgs {
    /// The account whose lines they are
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Lines that this query finds, as `search` would
    #[arg(long, value_name = "QUERY", default_value = "")]
    pub(crate) query: String,
    /// Lines of this system; * stands for anything. May be given several times
    #[arg(long = "system", value_name = "NAME")]
    pub(crate) systems: Vec<String>,
    /// Lines that came at this time or later
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) from: Option<String>,
    /// Lines that came before this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
    /// Say how many lines it would be, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
