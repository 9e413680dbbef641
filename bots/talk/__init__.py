"""What every chat front shares: commands, sentences, files, notices, and how an answer is shown."""
