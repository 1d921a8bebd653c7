//! Passwords: argon2id, which takes time and memory on purpose. Whoever calls this sees that no more than
//! [`AT_A_TIME`] do so at a time, and that the memory is counted.
//!
//! A password that was right is remembered for some minutes by a keyed hash, so that a program that sends it with each
//! request costs one check. The key is of this process alone, and in no file.

use super::secrets::random;
use super::{Directory, DirectoryError, Member};
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq as _;

/// Checks at a time.
pub const AT_A_TIME: usize = 2;
/// What a check takes: OWASP's second choice of argon2id is 12 MiB and three passes.
pub const MEMORY: usize = (KIB as usize + 64) << 10;
const KIB: u32 = 12 << 10;
const PASSES: u32 = 3;

/// Letters of a password.
const SHORTEST: usize = 12;
/// Bytes of one.
const LONGEST: usize = 512;
/// Members of one address whose passwords are tried: the oldest of those. Who is a member of more names the account.
const TRIED: usize = 4;
/// How long a right one is remembered, and how many are.
const REMEMBERED: Duration = Duration::from_secs(300);
const ALL: usize = 4_096;

#[derive(Default)]
pub(super) struct Checks {
    /// Made with the first right one.
    right: Mutex<Option<Right>>,
}

struct Right {
    key: [u8; 32],
    seen: HashMap<[u8; 32], (u32, Instant)>,
}

impl Right {
    /// A key of fixed length stands in front, and nothing of this ever leaves the process.
    fn digest(&self, name: &str, password: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.key);
        digest.update((name.len() as u64).to_le_bytes());
        digest.update(name);
        digest.update(password);
        digest.finalize().into()
    }
}

impl Checks {
    /// A password or member has changed.
    pub(super) fn forget(&self, member: u32) {
        if let Some(right) = &mut *self.right.lock().unwrap_or_else(PoisonError::into_inner) {
            right.seen.retain(|_, (whose, _)| *whose != member);
        }
    }

    fn remembered(&self, name: &str, password: &str) -> Option<u32> {
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        let right = right.as_ref()?;
        let (member, until) = right.seen.get(&right.digest(name, password))?;
        (Instant::now() < *until).then_some(*member)
    }

    fn remember(&self, name: &str, password: &str, member: u32) {
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        if right.is_none() {
            *right = random().ok().map(|key| Right { key, seen: HashMap::new() });
        }
        let Some(right) = &mut *right else { return };
        let now = Instant::now();
        if right.seen.len() >= ALL {
            right.seen.retain(|_, (_, until)| now < *until);
        }
        if right.seen.len() < ALL {
            let digest = right.digest(name, password);
            right.seen.insert(digest, (member, now + REMEMBERED));
        }
    }
}

fn argon2() -> Option<Argon2<'static>> {
    let params = Params::new(KIB, PASSES, 1, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// What checks work in, while none does: an allocator keeps what is given back in each thread's own part of memory, and
/// that adds up to many times what is in use.
static IDLE: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

/// Hashes a password into 32 bytes.
fn hashed(argon2: &Argon2<'_>, password: &str, salt: &[u8]) -> Option<[u8; 32]> {
    let idle = || IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = idle().pop();
    let mut blocks = taken.unwrap_or_else(|| vec![Block::new(); KIB as usize]);
    let mut out = [0; 32];
    let done = argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut out, &mut *blocks);
    let mut idle = idle();
    if idle.len() < AT_A_TIME {
        idle.push(blocks);
    }
    done.ok().map(|()| out)
}

/// Whether a password may be one.
///
/// # Errors
/// Why not, in words.
pub(super) fn may_be(password: &str) -> Result<(), DirectoryError> {
    if password.chars().count() < SHORTEST {
        return Err(DirectoryError::Invalid(format!("a password has {SHORTEST} letters at least")));
    }
    if password.len() > LONGEST {
        return Err(DirectoryError::Invalid(format!("a password has {LONGEST} bytes at most")));
    }
    Ok(())
}

pub(super) fn hash(password: &str) -> Result<String, DirectoryError> {
    may_be(password)?;
    let salt: [u8; 16] = random()?;
    let hashed = argon2().and_then(|argon2| {
        Some(PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(argon2.params()).ok()?,
            salt: Some(Salt::new(&salt).ok()?),
            hash: Some(Output::new(&hashed(&argon2, password, &salt)?).ok()?),
        })
    });
    hashed
        .map(|hash| hash.to_string())
        .ok_or_else(|| DirectoryError::Closed("the password could not be hashed now".to_owned()))
}

/// Whether it is that one. A hash that would take more than ours do is of a file that somebody changed.
fn fits(password: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    let Ok(params) = Params::try_from(&hash) else { return false };
    let is_ours = hash.algorithm == ARGON2ID_IDENT
        && params.m_cost() <= KIB
        && params.t_cost() <= 2 * PASSES
        && params.p_cost() == 1;
    let (Some(salt), Some(wanted), true) = (hash.salt, hash.hash, is_ours) else { return false };
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    hashed(&argon2, password, &salt).is_some_and(|found| found.ct_eq(wanted.as_bytes()).into())
}

impl Directory {
    /// Whether this name and password were right some minutes ago, which costs nothing.
    pub fn remembered(&self, name: &str, password: &str) -> Option<Arc<Member>> {
        self.passwords.remembered(name, password).and_then(|member| self.member(member))
    }

    /// The member with this name and password. The name is an e-mail address, or `ACCOUNT/ADDRESS`.
    ///
    /// It takes as long for a name that nobody has.
    pub fn check_password(&self, name: &str, password: &str) -> Option<Arc<Member>> {
        let (account, email) = name.rsplit_once('/').map_or((None, name), |(account, email)| (Some(account), email));
        if password.len() > LONGEST {
            return None;
        }
        let all = self.members_called(email);
        let those = all.iter().filter(|member| account.is_none_or(|account| member.account == account));
        let with_passwords: Vec<_> = those.filter(|member| member.has_password()).take(TRIED).collect();
        if with_passwords.is_empty() {
            let _ = argon2().and_then(|argon2| hashed(&argon2, password, &[0; 16]));
            return None;
        }
        let is_right = |member: &&&Arc<Member>| member.password.as_deref().is_some_and(|hash| fits(password, hash));
        let member = with_passwords.iter().find(is_right).map(|member| Arc::clone(member))?;
        self.passwords.remember(name, password, member.id);
        Some(member)
    }
}
