//! The parts that libc provides to a program: entry point, output, exit.

use core::{
    arch::{asm, global_asm},
    fmt::{self, Write},
    panic::PanicInfo,
};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "64")))]
compile_error!("the start of the program is written for Linux on x86-64");

const WRITE: usize = 1;
const EXIT_GROUP: usize = 231;

// The entry point: no return address, the frame pointer undefined, and the stack aligned as a `call` wants it.
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "and rsp, -16", "call {main}", "ud2", main = sym main);

extern "C" fn main() -> ! {
    match crate::run() {
        Ok(()) => exit(0),
        Err(error) => {
            // A failure to write the error cannot be reported.
            let _ = writeln!(Output::errors(), "{}", error.to_text().as_str());
            exit(1)
        }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Output::errors(), "{info}");
    exit(101)
}

fn exit(code: usize) -> ! {
    // SAFETY: `exit_group` takes a number, touches no memory and does not return.
    unsafe { asm!("syscall", in("rax") EXIT_GROUP, in("rdi") code, options(noreturn, nostack)) }
}

/// A descriptor to write text to.
pub(crate) struct Output(usize);

impl Output {
    pub(crate) const fn standard() -> Self {
        Self(1)
    }

    const fn errors() -> Self {
        Self(2)
    }
}

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let written = usize::try_from(write(self.0, rest)).map_err(|_| fmt::Error)?;
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(())
    }
}

/// The bytes written, or a negative error number.
fn write(fd: usize, bytes: &[u8]) -> isize {
    let mut answer = WRITE as isize;
    // SAFETY: `write` reads `bytes.len()` bytes from `bytes`, which is borrowed meanwhile; the kernel changes rcx and
    // r11 besides the answer in rax.
    unsafe {
        asm!(
            "syscall", inlateout("rax") answer,
            in("rdi") fd, in("rsi") bytes.as_ptr(), in("rdx") bytes.len(),
            out("rcx") _, out("r11") _, options(readonly, nostack)
        );
    }
    answer
}
