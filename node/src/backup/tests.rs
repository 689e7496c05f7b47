//! Backups as they are made, spoiled and restored.
