"""Stan programs, their data, and the engines that run them."""
