"""What a plugin is: its manifest, its files, its environment and its code in memory."""
