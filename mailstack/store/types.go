package store

import (
	"errors"
	"time"

	"github.com/emersion/go-imap/v2"
)

// Errors that callers tell apart. Every other error is an I/O or programming fault.
var (
	ErrNoAccount      = errors.New("no such account")
	ErrNoMailbox      = errors.New("no such mailbox")
	ErrMailboxExists  = errors.New("mailbox already exists")
	ErrMailboxInUse   = errors.New("mailbox cannot be removed or renamed")
	ErrNoMessage      = errors.New("no such message")
	ErrOverQuota      = errors.New("account is over its quota")
	ErrTooManyPending = errors.New("too many writes are waiting")
	ErrClosed         = errors.New("store is closed")
	ErrFailed         = errors.New("store refuses writes until it is opened again")
	ErrDiskFull       = errors.New("disk is full")
	ErrLocked         = errors.New("store is in use by another process")
	ErrMailboxName    = errors.New("not a mailbox name")
	ErrTooManyBoxes   = errors.New("account has too many mailboxes")
	ErrFlags          = errors.New("flags cannot be stored")
	ErrTooLarge       = errors.New("message is too large to be stored")
	ErrNoItem         = errors.New("no such queue item")
	ErrInvalidAccount = errors.New("account cannot be stored")
)

// AccountID identifies an account inside one cell, for ever.
type AccountID int64

// MailboxID identifies a mailbox inside one cell, for ever: it is never reused.
type MailboxID int64

// AccountSpec is what the source of accounts says of one account.
type AccountSpec struct {
	Address    string // lower case, local@domain
	Name       string
	Entity     string
	Service    string
	Password   string // hash in PHC or {SCHEME} form; empty: the account cannot log in until one is set
	QuotaBytes int64  // 0: no limit
}

// Account is an account as the cell holds it.
type Account struct {
	AccountSpec
	ID        AccountID
	UsedBytes int64
	Messages  int64
	Disabled  bool   // no longer in the source: mail is kept, login and delivery are refused
	SCRAM     string // verifier for SCRAM (RFC 5802), as given with the password; empty: none
	Hold      bool   // legal hold: nothing of the account is ever removed for good
}

// ReconcileResult counts what a reconciliation of accounts did.
type ReconcileResult struct {
	Added, Updated, Disabled, Unchanged int
}

// Recipient is one mailbox a message goes to.
type Recipient struct {
	Account AccountID
	Mailbox string // empty: INBOX
	Flags   []imap.Flag
}

// Delivery is one message for any number of mailboxes of this cell and any number of queued onward recipients,
// stored all together or not at all.
type Delivery struct {
	// ID makes the delivery idempotent per account: a second delivery with the same ID to an account
	// that already has it changes nothing and succeeds. Empty: not checked.
	ID           string
	Raw          []byte // CRLF line ends
	InternalDate time.Time
	Local        []Recipient
	Queue        []QueueRecipient
	Sender       string // envelope sender of the queued part; empty: the null sender
}

// QueueRecipient is one onward recipient of a submission.
type QueueRecipient struct {
	Address string
	Expires time.Time
}

// Placed says where one copy of a message came to lie. Order follows Delivery.Local.
type Placed struct {
	Mailbox     MailboxID
	UIDValidity uint32
	UID         imap.UID
	Duplicate   bool // the delivery's ID was already there
}

// QueueItem is one message waiting for one recipient outside this cell.
type QueueItem struct {
	ID          int64
	Token       string // random, stable over retries: the receiver's Delivery.ID
	Sender      string
	Recipient   string
	Size        int64
	Attempts    int
	Created     time.Time
	NextAttempt time.Time
	Expires     time.Time
	LastError   string
}

// Mailbox is the state of one mailbox.
type Mailbox struct {
	ID            MailboxID
	Account       AccountID
	Name          string // UTF-8, hierarchy separator "/", INBOX in capitals
	UIDValidity   uint32
	UIDNext       imap.UID
	HighestModSeq uint64
	SpecialUse    imap.MailboxAttr // empty: none
	Subscribed    bool
	Messages      uint32
	Unseen        uint32
	Deleted       uint32
	Size          int64
	Recent        imap.UID // messages from this UID on are recent (RFC 3501, 2.3.2), as far as was noted
}

// Stats are figures of a whole store.
type Stats struct {
	Accounts     int64 // with disabled ones
	Messages     int64
	QueueLength  int64
	SegmentBytes int64 // on disk, with those that nothing refers to any more
	DeadBytes    int64 // of them, nothing refers to so many, as compaction has last seen

	// Since the store was opened:
	Commits    int64         // group commits
	Operations int64         // in them, with those that were refused
	CommitTime time.Duration // from the first byte written to all being durable, summed; two commits may overlap
}

// Problem is one inconsistency that Store.Check has found.
type Problem struct {
	Account AccountID // whose mail it concerns; 0: nobody's, or several accounts'
	Where   string    // e.g. "mailbox 12 uid 5"
	What    string
}

func (p Problem) String() string { return p.Where + ": " + p.What }
