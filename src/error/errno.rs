//! The kernel's error numbers as names and texts.
//!
//! Without `std` rustix prints an [`Errno`] as a bare number, and this crate does not call libc, so it has its own
//! texts. They are those of glibc's `strerror` in the C locale, which Redis and memcached users see in their logs; a
//! test compares all of them with the C library.

use core::fmt;

pub use rustix::io::Errno;

/// The length of the longest text: `Invalid or incomplete multibyte or wide character`.
pub(crate) const LONGEST_TEXT: usize = 49;

struct Entry {
    errno: Errno,
    name: &'static str,
    text: &'static str,
}

macro_rules! errnos {
    ($($errno:ident $name:ident $text:literal,)*) => {
        &[$(Entry { errno: Errno::$errno, name: stringify!($name), text: $text }),*]
    };
}

/// The error numbers of every Unix.
const PORTABLE: &[Entry] = errnos![
    PERM EPERM "Operation not permitted",
    NOENT ENOENT "No such file or directory",
    SRCH ESRCH "No such process",
    INTR EINTR "Interrupted system call",
    IO EIO "Input/output error",
    NXIO ENXIO "No such device or address",
    TOOBIG E2BIG "Argument list too long",
    NOEXEC ENOEXEC "Exec format error",
    BADF EBADF "Bad file descriptor",
    CHILD ECHILD "No child processes",
    AGAIN EAGAIN "Resource temporarily unavailable",
    NOMEM ENOMEM "Cannot allocate memory",
    ACCESS EACCES "Permission denied",
    FAULT EFAULT "Bad address",
    NOTBLK ENOTBLK "Block device required",
    BUSY EBUSY "Device or resource busy",
    EXIST EEXIST "File exists",
    XDEV EXDEV "Invalid cross-device link",
    NODEV ENODEV "No such device",
    NOTDIR ENOTDIR "Not a directory",
    ISDIR EISDIR "Is a directory",
    INVAL EINVAL "Invalid argument",
    NFILE ENFILE "Too many open files in system",
    MFILE EMFILE "Too many open files",
    NOTTY ENOTTY "Inappropriate ioctl for device",
    TXTBSY ETXTBSY "Text file busy",
    FBIG EFBIG "File too large",
    NOSPC ENOSPC "No space left on device",
    SPIPE ESPIPE "Illegal seek",
    ROFS EROFS "Read-only file system",
    MLINK EMLINK "Too many links",
    PIPE EPIPE "Broken pipe",
    DOM EDOM "Numerical argument out of domain",
    RANGE ERANGE "Numerical result out of range",
    DEADLK EDEADLK "Resource deadlock avoided",
    NAMETOOLONG ENAMETOOLONG "File name too long",
    NOLCK ENOLCK "No locks available",
    NOSYS ENOSYS "Function not implemented",
    NOTEMPTY ENOTEMPTY "Directory not empty",
    LOOP ELOOP "Too many levels of symbolic links",
    NOMSG ENOMSG "No message of desired type",
    IDRM EIDRM "Identifier removed",
    REMOTE EREMOTE "Object is remote",
    PROTO EPROTO "Protocol error",
    BADMSG EBADMSG "Bad message",
    OVERFLOW EOVERFLOW "Value too large for defined data type",
    ILSEQ EILSEQ "Invalid or incomplete multibyte or wide character",
    USERS EUSERS "Too many users",
    NOTSOCK ENOTSOCK "Socket operation on non-socket",
    DESTADDRREQ EDESTADDRREQ "Destination address required",
    MSGSIZE EMSGSIZE "Message too long",
    PROTOTYPE EPROTOTYPE "Protocol wrong type for socket",
    NOPROTOOPT ENOPROTOOPT "Protocol not available",
    PROTONOSUPPORT EPROTONOSUPPORT "Protocol not supported",
    SOCKTNOSUPPORT ESOCKTNOSUPPORT "Socket type not supported",
    NOTSUP EOPNOTSUPP "Operation not supported",
    PFNOSUPPORT EPFNOSUPPORT "Protocol family not supported",
    AFNOSUPPORT EAFNOSUPPORT "Address family not supported by protocol",
    ADDRINUSE EADDRINUSE "Address already in use",
    ADDRNOTAVAIL EADDRNOTAVAIL "Cannot assign requested address",
    NETDOWN ENETDOWN "Network is down",
    NETUNREACH ENETUNREACH "Network is unreachable",
    NETRESET ENETRESET "Network dropped connection on reset",
    CONNABORTED ECONNABORTED "Software caused connection abort",
    CONNRESET ECONNRESET "Connection reset by peer",
    NOBUFS ENOBUFS "No buffer space available",
    ISCONN EISCONN "Transport endpoint is already connected",
    NOTCONN ENOTCONN "Transport endpoint is not connected",
    SHUTDOWN ESHUTDOWN "Cannot send after transport endpoint shutdown",
    TOOMANYREFS ETOOMANYREFS "Too many references: cannot splice",
    TIMEDOUT ETIMEDOUT "Connection timed out",
    CONNREFUSED ECONNREFUSED "Connection refused",
    HOSTDOWN EHOSTDOWN "Host is down",
    HOSTUNREACH EHOSTUNREACH "No route to host",
    ALREADY EALREADY "Operation already in progress",
    INPROGRESS EINPROGRESS "Operation now in progress",
    STALE ESTALE "Stale file handle",
    DQUOT EDQUOT "Disk quota exceeded",
    CANCELED ECANCELED "Operation canceled",
];

/// The error numbers that only Linux has, some of them inherited from System V streams.
#[cfg(target_os = "linux")]
const LINUX: &[Entry] = errnos![
    CHRNG ECHRNG "Channel number out of range",
    L2NSYNC EL2NSYNC "Level 2 not synchronized",
    L3HLT EL3HLT "Level 3 halted",
    L3RST EL3RST "Level 3 reset",
    LNRNG ELNRNG "Link number out of range",
    UNATCH EUNATCH "Protocol driver not attached",
    NOCSI ENOCSI "No CSI structure available",
    L2HLT EL2HLT "Level 2 halted",
    BADE EBADE "Invalid exchange",
    BADR EBADR "Invalid request descriptor",
    XFULL EXFULL "Exchange full",
    NOANO ENOANO "No anode",
    BADRQC EBADRQC "Invalid request code",
    BADSLT EBADSLT "Invalid slot",
    BFONT EBFONT "Bad font file format",
    NOSTR ENOSTR "Device not a stream",
    NODATA ENODATA "No data available",
    TIME ETIME "Timer expired",
    NOSR ENOSR "Out of streams resources",
    NONET ENONET "Machine is not on the network",
    NOPKG ENOPKG "Package not installed",
    NOLINK ENOLINK "Link has been severed",
    ADV EADV "Advertise error",
    SRMNT ESRMNT "Srmount error",
    COMM ECOMM "Communication error on send",
    MULTIHOP EMULTIHOP "Multihop attempted",
    DOTDOT EDOTDOT "RFS specific error",
    NOTUNIQ ENOTUNIQ "Name not unique on network",
    BADFD EBADFD "File descriptor in bad state",
    REMCHG EREMCHG "Remote address changed",
    LIBACC ELIBACC "Can not access a needed shared library",
    LIBBAD ELIBBAD "Accessing a corrupted shared library",
    LIBSCN ELIBSCN ".lib section in a.out corrupted",
    LIBMAX ELIBMAX "Attempting to link in too many shared libraries",
    LIBEXEC ELIBEXEC "Cannot exec a shared library directly",
    RESTART ERESTART "Interrupted system call should be restarted",
    STRPIPE ESTRPIPE "Streams pipe error",
    UCLEAN EUCLEAN "Structure needs cleaning",
    NOTNAM ENOTNAM "Not a XENIX named type file",
    NAVAIL ENAVAIL "No XENIX semaphores available",
    ISNAM EISNAM "Is a named type file",
    REMOTEIO EREMOTEIO "Remote I/O error",
    NOMEDIUM ENOMEDIUM "No medium found",
    MEDIUMTYPE EMEDIUMTYPE "Wrong medium type",
    NOKEY ENOKEY "Required key not available",
    KEYEXPIRED EKEYEXPIRED "Key has expired",
    KEYREVOKED EKEYREVOKED "Key has been revoked",
    KEYREJECTED EKEYREJECTED "Key was rejected by service",
    OWNERDEAD EOWNERDEAD "Owner died",
    NOTRECOVERABLE ENOTRECOVERABLE "State not recoverable",
    RFKILL ERFKILL "Operation not possible due to RF-kill",
    HWPOISON EHWPOISON "Memory page has hardware error",
];
#[cfg(not(target_os = "linux"))]
const LINUX: &[Entry] = &[];

/// The highest known number.
const MAX: usize = 133;

/// The entry of each error number. The numbers differ between systems, so the table is computed at compile time.
static BY_NUMBER: [Option<&Entry>; MAX + 1] = {
    let mut table = [None; MAX + 1];
    place(&mut table, PORTABLE);
    place(&mut table, LINUX);
    table
};

const fn place(table: &mut [Option<&'static Entry>; MAX + 1], entries: &'static [Entry]) {
    let mut i = 0;
    while i < entries.len() {
        let entry = &entries[i];
        let number = entry.errno.raw_os_error();
        assert!(entry.text.len() <= LONGEST_TEXT);
        if 0 < number && number <= MAX as i32 {
            table[number as usize] = Some(entry);
        }
        i += 1;
    }
}

fn entry(errno: Errno) -> Option<&'static Entry> {
    let number = usize::try_from(errno.raw_os_error()).ok()?;
    BY_NUMBER.get(number).copied().flatten()
}

/// The C name, such as `EADDRINUSE`; `None` for an unknown number.
#[doc(alias = "strerrorname_np")]
pub fn name(errno: Errno) -> Option<&'static str> {
    entry(errno).map(|entry| entry.name)
}

/// The text, such as `Address already in use`, or `Unknown error 41` for an unknown number.
#[doc(alias = "strerror")]
pub fn text(errno: Errno) -> Text {
    Text(errno)
}

/// The text of an error number, formatted on display.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Text(Errno);

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match entry(self.0) {
            Some(entry) => f.write_str(entry.text),
            None => write!(f, "Unknown error {}", self.0.raw_os_error()),
        }
    }
}
