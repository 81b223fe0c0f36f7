"""What the benchmark of watermarks is made of: attacks, pictures, readings of peers."""
