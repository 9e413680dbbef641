"""What whoever hosts Conch uses: the doctor, the plan, the log, the figures, the control socket."""
