package content

import "time"

// Delivery is what the sender knew of a message that arrived.
type Delivery struct {
	Intended     time.Time // when it should have been submitted
	Acknowledged time.Time // zero: the acknowledgement is not there yet, or never came
	Known        bool      // this worker sent it to this account and follows it
}

// Present is a message found in a mailbox at the end.
type Present struct {
	Mailbox          string
	UIDValidity, UID uint32
	Token            string
}

// Tracked says whether the deliveries to an account are followed.
func (r *Run) Tracked(account string) bool { return true }

// Submitted is called before a message is sent; then, for each recipient, one of Acknowledged, Refused and Unknown.
func (r *Run) Submitted(m *Message, intended time.Time) {}

// Acknowledged: the server has taken responsibility for the message. From then on it must arrive.
func (r *Run) Acknowledged(m *Message, to string, at time.Time) {}

// Refused: the server said no. The message need not arrive.
func (r *Run) Refused(m *Message, to string) {}

// Unknown: the connection died before the reply. The message may arrive once or not at all.
func (r *Run) Unknown(m *Message, to string) {}

// Seen tells of a message in a mailbox; first is true for the first sighting of this delivery by this run.
func (r *Run) Seen(account, mailbox string, uidValidity, uid uint32, token string, at time.Time) (d Delivery, first bool) {
	return Delivery{}, false
}

// Deleted says that this run is about to remove a message, or to move it away: it need not be there any more.
func (r *Run) Deleted(account, mailbox string, uid uint32) {}

// Outstanding lists the tokens that were acknowledged for an account and not seen yet.
func (r *Run) Outstanding(account string) []string { return nil }

// Settle is the final comparison for an account: present is everything found in its mailboxes.
func (r *Run) Settle(account string, present []Present, at time.Time, transcript []string) {}
