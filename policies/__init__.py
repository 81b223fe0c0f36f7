"""What have we promised? The policy language, policy packs and checklists."""
