package content

import "gouv.tg/messagerie/loadtest/protocol/imap"

var _ imap.Observer = (*Mirror)(nil)

// Mirror is one IMAP session's view of one selected mailbox. It is an [imap.Observer] and checks data as they arrive.
// Make a new one before each SELECT.
type Mirror struct{}

// Mirror returns the view of a session that is about to select a mailbox. Account is the address mail is sent to; transcript may be nil.
func (r *Run) Mirror(account, mailbox string, transcript func() []string) *Mirror { return &Mirror{} }

func (m *Mirror) Selected(s imap.Selected)                    {}
func (m *Mirror) Exists(n uint32)                             {}
func (m *Mirror) Expunge(seq uint32)                          {}
func (m *Mirror) Vanished(uids []imap.UIDRange, earlier bool) {}
func (m *Mirror) Fetch(f *imap.Message)                       {}
func (m *Mirror) Flags(flags []string)                        {}

// UID is the UID of a sequence number, if the server has told it.
func (m *Mirror) UID(seq uint32) (uint32, bool) { return 0, false }

// Len is the number of messages in the mailbox as this session was told.
func (m *Mirror) Len() int { return 0 }

// UIDs lists the known UIDs, ascending.
func (m *Mirror) UIDs() []uint32 { return nil }

// Fetching is called before FETCH (of a UID set, or a sequence set) is sent, done after its tagged reply. What was confirmed before the
// FETCH was sent must show in what it returns: lost flags and falling modseqs are found only between the two.
func (m *Mirror) Fetching(set string, uid bool) (done func()) { return func() {} }

// Storing is called before a STORE of flags is sent, done after its tagged reply; ok only if all the messages were changed.
// Add is true for +FLAGS, false for -FLAGS.
func (m *Mirror) Storing(uids []uint32, flags []string, add bool) (done func(ok bool)) {
	return func(bool) {}
}

// Stored is Storing and its done(true) at once, for a STORE that has just succeeded while no other session stored.
func (m *Mirror) Stored(uid uint32, flags []string, added bool) {}

// Deleted is [Run.Deleted] for this mailbox: call it before EXPUNGE, MOVE or UID EXPUNGE is sent.
func (m *Mirror) Deleted(uids ...uint32) {}

// Checkpoint compares two sessions of one mailbox that are quiet: no command in flight, nothing untold (NOOP on both before).
func (r *Run) Checkpoint(a, b *Mirror) {}
