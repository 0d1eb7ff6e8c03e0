"""All use of git: inspect a repository, and create a session's worktree."""
