"""Review: what a policy holds, a person looks at, and lets pass or refuses."""
