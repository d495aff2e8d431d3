package content

import "time"

// Kinds of violations.
const (
	Lost        = "lost"        // acknowledged, and not there
	Doubled     = "doubled"     // there twice
	Flipped     = "flipped"     // other bytes than were sent
	Flag        = "flag"        // a flag is not what this run made it
	UID         = "uid"         // a UID out of order, reused, or of another message
	UIDValidity = "uidvalidity" // UIDVALIDITY changed
	Exists      = "exists"      // a message went away without EXPUNGE, or a sequence number is out of range
	ModSeq      = "modseq"      // a modseq fell, did not rise with a change, or is above HIGHESTMODSEQ
	Envelope    = "envelope"    // envelope, size or internal date changed
	Checkpoint  = "checkpoint"  // two sessions disagree
	Foreign     = "foreign"     // a message of somebody else
)

// Violation is one broken promise.
type Violation struct {
	Kind       string    `json:"kind"`
	Account    string    `json:"account"`
	Mailbox    string    `json:"mailbox,omitempty"`
	UID        uint32    `json:"uid,omitempty"`
	Detail     string    `json:"detail"`
	At         time.Time `json:"at"`
	Transcript []string  `json:"transcript,omitempty"`
}

// Summary is what a run found.
type Summary struct {
	Errors  int64            `json:"errors"` // violations of all kinds
	Kinds   map[string]int64 `json:"kinds"`
	Samples []Violation      `json:"samples"` // at most 50, of each kind at most 10
	// Deliveries: followed, seen, acknowledged and not seen, without a reply and not seen.
	Tracked     int64 `json:"tracked"`
	Confirmed   int64 `json:"confirmed"`
	Outstanding int64 `json:"outstanding"`
	Unknown     int64 `json:"unknown"`
	// Untracked counts the deliveries and messages that were not followed for want of room.
	Untracked int64 `json:"untracked"`
}

// Summary is the state of the run so far.
func (r *Run) Summary() Summary { return Summary{} }

// MergeSummaries adds the summaries of several workers.
func MergeSummaries(all ...Summary) Summary { return Summary{} }
