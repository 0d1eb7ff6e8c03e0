"""The only door to git: looks at a repository, and makes a session's worktree."""
