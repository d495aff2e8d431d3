package store

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/mailstack/store/database"
)

// cacheEntries bounds the states that the writer keeps from one batch to the next.
const cacheEntries = 8192

// tx is the writer's view of the database. The states of accounts and mailboxes are changed in memory and
// written once at the end of a batch, however many operations changed them; only the writer's goroutine
// changes these tables, so it may keep them in memory from one batch to the next.
type tx struct {
	db           *database.Conn
	now          time.Time
	vaultFor     time.Duration
	postponeFrom int64 // messages of a run
	accounts     map[AccountID]*accountState
	mailboxes    map[MailboxID]*mailboxState
	names        map[mailboxName]*mailboxState
	dirty        []dirtyState
	charged      []*accountState // whose states were written
	promises     []promise       // of the batch
	touches      int64           // counts changes of states
	released     atomic.Int64    // counts contents that were removed
	uidValidity  uint32
	nextContent  ContentID
	nextVault    int64

	// What to tell after the commit.
	events          []Event
	accountsChanged bool
	queueChanged    bool
	swept           bool // a mailbox was removed whose messages must be swept up
	postponed       bool // flags were set that messages do not show yet
}

type mailboxName struct {
	account AccountID
	name    string
}

// promise is room that was set aside for an operation until its batch is complete.
type promise struct {
	account *accountState
	bytes   int64
}

type dirtyState interface{ write(*tx) error }

// accountState is the row of an account that changes with every delivery, with what must be known to decide.
type accountState struct {
	id        AccountID
	quota     int64
	disabled  bool
	hold      bool
	used      int64
	messages  int64
	modseq    uint64
	mailboxes int64
	stored    bool // has a row in account_state
	ample     bool // see Account.Ample
	promised  int64
	dirty     bool
}

type mailboxState struct {
	id          MailboxID
	account     AccountID
	name        string
	uidValidity uint32
	uidNext     uint32
	modseq      uint64
	messages    int64
	unseen      int64
	deleted     int64
	size        int64
	vanished    int64  // records of expunged messages
	floor       uint64 // those up to this modseq were forgotten
	postponed   []run  // changes of flags that rows of messages do not show yet, in the order of their modseqs
	dirty       bool
}

func newTx(db *database.Conn) (*tx, error) {
	t := &tx{db: db}
	if err := t.forget(); err != nil {
		return nil, err
	}
	return t, nil
}

// forget drops all states, so that they are read from the database again.
func (t *tx) forget() error {
	t.accounts = make(map[AccountID]*accountState)
	t.mailboxes = make(map[MailboxID]*mailboxState)
	t.names = make(map[mailboxName]*mailboxState)
	t.dirty = nil
	// Within a transaction the counters may be ahead of the tables.
	found, err := t.db.Row(func(r *database.Rows) {
		t.uidValidity = max(t.uidValidity, uint32(r.Int(0)))
		t.nextContent, t.nextVault = max(t.nextContent, ContentID(r.Int(1))), max(t.nextVault, r.Int(2))
	}, "SELECT uid_validity, next_content, next_vault FROM meta")
	if err == nil && !found {
		err = errors.New("row is missing")
	}
	if err != nil {
		return fmt.Errorf("cannot read the store's counters: %w", err)
	}
	return nil
}

// trim keeps the cache bounded between batches.
func (t *tx) trim() {
	if len(t.accounts)+len(t.mailboxes)+len(t.names) > cacheEntries {
		clear(t.accounts)
		clear(t.mailboxes)
		clear(t.names)
	}
}

// mark tells how much was changed so far: an operation that failed and left the mark alone had no effect.
func (t *tx) mark() int64 { return t.db.Writes() + t.touches }

// account returns the state of an account, ErrNoAccount if there is none.
func (t *tx) account(id AccountID) (*accountState, error) {
	if a, ok := t.accounts[id]; ok {
		return a, nil
	}
	a := &accountState{id: id}
	found, err := t.db.Row(func(r *database.Rows) {
		a.quota, a.disabled, a.hold = r.Int(0), r.Bool(1), r.Bool(7)
		a.used, a.messages, a.modseq, a.mailboxes = r.Int(2), r.Int(3), uint64(r.Int(4)), r.Int(5)
		a.stored = r.Bool(6)
	}, `SELECT a.quota, a.disabled, s.used, s.messages, s.modseq, s.mailboxes, s.account IS NOT NULL, a.hold
		FROM accounts a LEFT JOIN account_state s ON s.account = a.id WHERE a.id = ?`, int64(id))
	if err != nil {
		return nil, fmt.Errorf("cannot read account %d: %w", id, err)
	}
	if !found {
		return nil, ErrNoAccount
	}
	a.ample = a.quota == 0 || a.quota-a.used >= scarce
	t.accounts[id] = a
	return a, nil
}

func (t *tx) touch(a *accountState) {
	t.touches++
	if !a.dirty {
		a.dirty = true
		t.dirty = append(t.dirty, a)
	}
}

// nextModSeq counts one change of the account.
func (t *tx) nextModSeq(a *accountState) uint64 {
	a.modseq++
	t.touch(a)
	return a.modseq
}

func (a *accountState) write(t *tx) error {
	a.dirty = false
	sql := "UPDATE account_state SET used = ?, messages = ?, modseq = ?, mailboxes = ? WHERE account = ?"
	if !a.stored {
		sql = "INSERT INTO account_state (used, messages, modseq, mailboxes, account) VALUES (?, ?, ?, ?, ?)"
	}
	if _, err := t.db.Exec(sql, a.used, a.messages, a.modseq, a.mailboxes, int64(a.id)); err != nil {
		return fmt.Errorf("cannot write the state of account %d: %w", a.id, err)
	}
	a.stored = true
	t.charged = append(t.charged, a)
	if room := a.quota - a.used; a.quota > 0 && (a.ample && room < scarce || !a.ample && room >= ample) {
		a.ample = !a.ample
		t.accountsChanged = true
	}
	return nil
}

// admits tells whether so many more bytes fit the quota, besides those promised already.
func (a *accountState) admits(bytes int64) bool {
	return a.quota == 0 || bytes <= 0 || a.used+a.promised+bytes <= a.quota
}

func (t *tx) mailboxAndAccount(id MailboxID) (*mailboxState, *accountState, error) {
	m, err := t.mailbox(id)
	if err != nil {
		return nil, nil, err
	}
	a, err := t.account(m.account)
	return m, a, err
}

// holds tells whether so many more bytes fit the quota, whatever was promised: for what was promised room itself.
func (a *accountState) holds(bytes int64) bool {
	return a.quota == 0 || bytes <= 0 || a.used+bytes <= a.quota
}

// promise sets room aside until the end of the batch.
func (t *tx) promise(a *accountState, bytes int64) {
	a.promised += bytes
	t.promises = append(t.promises, promise{a, bytes})
}

// unpromise takes promises back until n are left.
func (t *tx) unpromise(n int) {
	for _, p := range t.promises[n:] {
		p.account.promised -= p.bytes
	}
	t.promises = t.promises[:n]
}

// charge books messages, or takes them off with negative figures.
func (t *tx) charge(a *accountState, messages, bytes int64) {
	a.messages += messages
	a.used += bytes
	t.touch(a)
}

const selectMailbox = `SELECT m.id, m.account, m.name, m.uid_validity, s.uid_next, s.modseq, s.messages, s.unseen, s.deleted, s.size,
	s.vanished, s.floor, EXISTS (SELECT 1 FROM postponed p WHERE p.mailbox = m.id) FROM mailboxes m JOIN mailbox_state s ON s.mailbox = m.id WHERE `

func (m *mailboxState) read(r *database.Rows) (postpones bool) {
	m.id, m.account, m.name, m.uidValidity = MailboxID(r.Int(0)), AccountID(r.Int(1)), r.Text(2), uint32(r.Int(3))
	m.uidNext, m.modseq = uint32(r.Int(4)), uint64(r.Int(5))
	m.messages, m.unseen, m.deleted, m.size = r.Int(6), r.Int(7), r.Int(8), r.Int(9)
	m.vanished, m.floor = r.Int(10), uint64(r.Int(11))
	return r.Bool(12)
}

// readMailbox reads the state that a condition selects; nil if there is none.
func (t *tx) readMailbox(condition string, args ...any) (*mailboxState, error) {
	m := new(mailboxState)
	postpones := false
	found, err := t.db.Row(func(r *database.Rows) { postpones = m.read(r) }, selectMailbox+condition, args...)
	if err != nil || !found {
		return nil, err
	}
	if postpones {
		if m.postponed, err = readPostponed(t.db, m.id); err != nil {
			return nil, err
		}
	}
	return t.keep(m), nil
}

// mailbox returns the state of a mailbox, ErrNoMailbox if there is none.
func (t *tx) mailbox(id MailboxID) (*mailboxState, error) {
	if m, ok := t.mailboxes[id]; ok {
		return m, nil
	}
	m, err := t.readMailbox("m.id = ?", int64(id))
	if err != nil {
		return nil, fmt.Errorf("cannot read mailbox %d: %w", id, err)
	}
	if m == nil {
		return nil, ErrNoMailbox
	}
	return m, nil
}

// named returns the mailbox of an account with a normal name, nil if there is none.
func (t *tx) named(a *accountState, name string) (*mailboxState, error) {
	key := mailboxName{a.id, name}
	if m, ok := t.names[key]; ok {
		return m, nil
	}
	if a.mailboxes == 0 {
		return nil, nil
	}
	m, err := t.readMailbox("m.account = ? AND m.name = ?", int64(a.id), name)
	if err != nil {
		return nil, fmt.Errorf("cannot read mailbox %q of account %d: %w", name, a.id, err)
	}
	return m, nil
}

// keep puts a state into the cache; one that is there already is newer.
func (t *tx) keep(m *mailboxState) *mailboxState {
	if have, ok := t.mailboxes[m.id]; ok {
		m = have
	}
	t.mailboxes[m.id] = m
	t.names[mailboxName{m.account, m.name}] = m
	return m
}

func (t *tx) touchMailbox(m *mailboxState) {
	t.touches++
	if !m.dirty {
		m.dirty = true
		t.dirty = append(t.dirty, m)
	}
}

func (m *mailboxState) write(t *tx) error {
	m.dirty = false
	if t.mailboxes[m.id] != m {
		return nil // removed in this batch
	}
	_, err := t.db.Exec(`UPDATE mailbox_state SET uid_next = ?, modseq = ?, messages = ?, unseen = ?, deleted = ?, size = ?, vanished = ?, floor = ?
		WHERE mailbox = ?`, m.uidNext, m.modseq, m.messages, m.unseen, m.deleted, m.size, m.vanished, m.floor, int64(m.id))
	if err != nil {
		return fmt.Errorf("cannot write the state of mailbox %d: %w", m.id, err)
	}
	return nil
}

// flush writes the states that were changed.
func (t *tx) flush() error {
	for _, d := range t.dirty {
		if err := d.write(t); err != nil {
			return err
		}
	}
	clear(t.dirty)
	t.dirty = t.dirty[:0]
	return nil
}

// endBatch forgets what belongs to one batch only.
func (t *tx) endBatch() {
	clear(t.events)
	clear(t.charged)
	t.events, t.charged = t.events[:0], t.charged[:0]
	t.accountsChanged, t.queueChanged, t.swept, t.postponed = false, false, false, false
	t.trim()
}
