package pull

// Sample is what the last messages of a mailbox say of whose it is.
type Sample struct {
	Messages int    `json:"messages"`           // looked at
	Ours     int    `json:"ours"`               // that name the address
	Other    string `json:"other,omitempty"`    // who else is named most
	Others   int    `json:"others,omitempty"`   // messages that name them
	Envelope int    `json:"envelope,omitempty"` // messages whose fields come from the delivery, and not from the writer
}

// Validity is a mailbox that evidence was taken from.
type Validity struct {
	Mailbox     string `json:"mailbox"`
	UIDValidity uint32 `json:"uidValidity"`
}

// Evidence is what was found out about a row.
type Evidence struct {
	User       string     `json:"user"` // the account of the source
	Address    string     `json:"address"`
	Mailboxes  int        `json:"mailboxes"`
	Messages   int64      `json:"messages"`
	Sent       Sample     `json:"sent"`  // by From
	Inbox      Sample     `json:"inbox"` // by Delivered-To, or else To and Cc
	Validities []Validity `json:"validities,omitempty"`
	Verdict    Verdict    `json:"verdict"`
	Reasons    []string   `json:"reasons,omitempty"` // for the verdict
	Force      string     `json:"force,omitempty"`   // why the verdict is not heeded
}

// Verdict is what the evidence says of a mapping.
type Verdict string

// Verdicts.
const (
	Agrees      Verdict = "agrees"
	Unclear     Verdict = "unclear"     // nothing speaks for it, nothing against it
	Contradicts Verdict = "contradicts" // something speaks against it
	Failed      Verdict = "failed"      // nothing could be found out
)

// Refused tells whether the row must not be pulled: nothing speaks for it, or something against it, and nobody gave a reason.
func (e *Evidence) Refused() bool {
	return e.Verdict == Failed || e.Verdict != Agrees && e.Force == ""
}
