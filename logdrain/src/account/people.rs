//! Members and tokens.

use crate::args::account::{AccountArgs, MemberAction, TokenAction, TokenKind};
use crate::serve;
use logdrain_drain::people::{Told, What};
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::{Failure, Status};

pub(super) fn member(args: &AccountArgs, action: &MemberAction) -> Result<Status, Failure> {
    let what = match action.clone() {
        MemberAction::Add { email, read_only, groups, manage_members, change_plans, purge } => {
            What::AddMember { email, read_only, manage_members, change_plans, purge, groups }
        }
        MemberAction::Link { email } => What::Link { email },
        MemberAction::List => What::Members,
        MemberAction::Remove { email } => What::RemoveMember { email },
    };
    ask(args, what)
}

pub(super) fn token(args: &AccountArgs, action: &TokenAction) -> Result<Status, Failure> {
    let what = match action.clone() {
        TokenAction::Add { kind, member, name } => {
            let kind = match kind {
                TokenKind::Admin => "admin",
                TokenKind::Read => "read",
                TokenKind::Record => "record",
            };
            What::AddToken { member, kind: kind.to_owned(), name }
        }
        TokenAction::List => What::Tokens,
        TokenAction::Remove { id } => What::RemoveToken { id },
    };
    ask(args, what)
}

fn ask(args: &AccountArgs, what: What) -> Result<Status, Failure> {
    match serve::people(&args.store, &args.account, what)? {
        Told::Link { email, link } => {
            println!("{}", Escaped(&link));
            let email = Escaped(&email);
            let how = if link.starts_with('/') {
                ", behind the address of this server (say url = \"https://...\" in its configuration)"
            } else {
                ""
            };
            eprintln!("It sets the password of {email} once, within 7 days{how}. Whoever has it is {email}.");
        }
        Told::Members(members) => {
            for member in members {
                let state = if member.has_password { "" } else { "  no password yet" };
                println!("{}{state}  {}", Escaped(&member.email), Escaped(&member.rights.join(", ")));
            }
        }
        Told::Token { secret } => println!("{secret}"),
        Told::Tokens(tokens) => {
            for token in tokens {
                let whose = token.member.as_deref().unwrap_or("the account");
                let (whose, name) = (Escaped(whose), Escaped(&token.name));
                println!("{}  {}  {}...  {whose}  {name}", token.id, token.kind, token.shown);
            }
        }
        Told::Done => {}
    }
    Ok(Status::Done)
}
