//! Nothing: the kernel side is the binary of this package.
#![no_std]
