"""The engines that sample from a program: stanli inside this process, and CmdStan."""
