"""Who is the champion, by which decision: the gate's, probation's or a person's."""
