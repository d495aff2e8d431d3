package users

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/loadtest/record"
)

// Bounds of what a session remembers.
const (
	maxArrivals = 32  // EXISTS that nothing was fetched for yet
	maxOwn      = 256 // UIDs of this test's messages, to remove some day
)

const (
	inbox = "INBOX"
	// tokenItems is what is asked for to know a new message again; a mail program asks for a few headers more.
	tokenItems = "(UID FLAGS BODY.PEEK[HEADER.FIELDS (" + content.TokenHeader + ")])"
)

// tokenSection is what of it the answer is found under: names of sections come in capitals.
var tokenSection = strings.ToUpper("BODY[HEADER.FIELDS (" + content.TokenHeader + ")]")

// steps are the operations of an IMAP session.
type steps struct {
	connect, login, selection, fetch, store, append, search, status, noop, idle, expunge, logout *record.Operation
}

func newSteps(env *Environment, prefix string) *steps {
	op := func(name string) *record.Operation { return env.Recorder.Operation(prefix + name) }
	return &steps{
		connect: op("connect"), login: op("login"), selection: op("select"), fetch: op("fetch"), store: op("store"),
		append: op("append"), search: op("search"), status: op("status"), noop: op("noop"), idle: op("idle"),
		expunge: op("expunge"), logout: op("logout"),
	}
}

// session is one IMAP session with INBOX selected, each command measured. One goroutine uses it at a time.
type session struct {
	env     *Environment
	steps   *steps
	user    int
	checked bool // keep a mirror

	client   *imap.Client
	folder   string          // selected
	mirror   *content.Mirror // nil: not checked
	selected imap.Selected
	exists   uint32
	next     uint32      // the lowest UID not yet fetched
	arrivals []arrival   // messages told of and not fetched yet
	told     atomic.Bool // there are arrivals: read by others while the session idles
	fetched  uint32      // the highest message that the present command has told more of than its flags
	own      []uint32    // UIDs of this test's messages, oldest first
}

// arrival is an EXISTS: the message with that number was visible from then on.
type arrival struct {
	seq uint32
	at  time.Time
}

// measure runs one command and records it.
func (s *session) measure(ctx context.Context, op *record.Operation, intended time.Time, f func(context.Context) error) error {
	ctx, cancel := s.env.operation(ctx)
	defer cancel()
	err := f(ctx)
	if err != nil {
		op.Failed(intended, time.Now(), classify(err))
	} else {
		op.Done(intended, time.Now())
	}
	return err
}

// open connects, logs in and selects INBOX. Latencies of later steps count from the end of the one before.
func (s *session) open(ctx context.Context, intended time.Time) error {
	endpoint, security := s.env.Population.imapEndpoint(s.user)
	err := s.measure(ctx, s.steps.connect, intended, func(ctx context.Context) (err error) {
		s.client, err = imap.Dial(ctx, s.env.Population.dialerOf(s.user), endpoint, imap.Options{Security: security, Observer: s})
		return err
	})
	if err != nil {
		return err
	}
	account := s.env.Population.members[s.user].account
	err = s.measure(ctx, s.steps.login, time.Now(), func(ctx context.Context) error {
		return s.client.Login(ctx, account.Address, account.Password)
	})
	if err == nil {
		err = s.selectInbox(ctx, time.Now())
	}
	if err != nil {
		s.drop()
	}
	return err
}

func (s *session) selectInbox(ctx context.Context, intended time.Time) error {
	s.forget()
	if s.checked {
		s.mirror = s.env.Content.Mirror(s.address(), inbox, s.client.Conn().Transcript)
	}
	err := s.measure(ctx, s.steps.selection, intended, func(ctx context.Context) (err error) {
		s.selected, err = s.client.Select(ctx, inbox, s.checked && s.client.Has("CONDSTORE"))
		return err
	})
	s.folder = inbox
	if err == nil && s.next == 0 {
		s.next = s.selected.UIDNext
	}
	return err
}

func (s *session) address() string { return s.env.Population.Address(s.user) }

// learn fetches the flags of all messages, as a mail program does when it opens a mailbox it has not seen.
func (s *session) learn(ctx context.Context) error {
	if s.exists == 0 {
		return nil
	}
	_, err := s.fetch(ctx, time.Now(), "1:*", "(UID FLAGS)", false)
	return err
}

func (s *session) fetch(ctx context.Context, intended time.Time, set, items string, uid bool) (messages []*imap.Message, err error) {
	done := func() {}
	if s.mirror != nil {
		done = s.mirror.Fetching(set, uid)
		if s.selected.HighestModSeq > 0 {
			items = "(MODSEQ " + items[1:]
		}
	}
	err = s.measure(ctx, s.steps.fetch, intended, func(ctx context.Context) (err error) {
		messages, err = s.client.Fetch(ctx, set, items, uid)
		return err
	})
	if err == nil {
		done() // what a failed one did not tell is no evidence
	}
	return messages, err
}

// collect fetches what is new and tells the ledger. seen is called with each delivery that this run knows, and when the
// session was told of it: once in each session, as the fastest of those who share a mailbox does not speak for the others.
func (s *session) collect(ctx context.Context, intended time.Time, seen func(d content.Delivery, visible time.Time)) error {
	s.told.Store(false) // what is told from here on may not be among the answer
	s.fetched = 0
	messages, err := s.fetch(ctx, intended, strconv.FormatUint(uint64(max(s.next, 1)), 10)+":*", tokenItems, true)
	if err != nil {
		s.forget() // the next arrival fetches them
		return err
	}
	now := time.Now()
	for _, m := range messages {
		if m.UID < s.next || m.Sections == nil {
			continue // n:* is the last message even if its UID is below n (RFC 9051, 9: seq-range)
		}
		s.next = m.UID + 1
		token, ok := content.TokenOf(m.Sections[tokenSection])
		if !ok {
			continue
		}
		d := s.sighted(m.UID, token, now)
		if s.env.Content.Own(token) {
			if len(s.own) == maxOwn {
				s.own = slices.Delete(s.own, 0, 1)
			}
			s.own = append(s.own, m.UID)
		}
		if d.Known && seen != nil {
			seen(d, s.visible(m.Seq, now))
		}
	}
	s.arrivals = slices.DeleteFunc(s.arrivals, func(a arrival) bool { return a.seq <= s.fetched })
	if !s.told.Load() || len(s.arrivals) == 0 {
		s.forget() // a server that never shows what it told of is not asked again and again
	}
	return nil
}

func (s *session) forget() {
	s.arrivals = nil
	s.told.Store(false)
}

// sighted tells the ledger of a message; a session that is checked has what was said to show for it.
func (s *session) sighted(uid uint32, token string, at time.Time) (d content.Delivery) {
	if s.mirror != nil {
		d, _ = s.mirror.Seen(uid, token, at)
	} else {
		d, _ = s.env.Content.Seen(s.address(), inbox, s.selected.UIDValidity, uid, token, at)
	}
	return d
}

// visible is when the session was first told of a message.
func (s *session) visible(seq uint32, now time.Time) time.Time {
	for _, a := range s.arrivals {
		if a.seq >= seq {
			return a.at
		}
	}
	return now
}

// news reports whether there are messages that were not fetched yet.
func (s *session) news() bool { return s.told.Load() }

// leave logs out.
func (s *session) leave(ctx context.Context) {
	if s.client != nil {
		_ = s.measure(ctx, s.steps.logout, time.Now(), s.client.Logout)
		s.client = nil
	}
}

// drop closes the connection without a word.
func (s *session) drop() {
	if s.client != nil {
		_ = s.client.Disconnect()
		s.client = nil
	}
}

// What follows is the session as an imap.Observer.

func (s *session) Selected(m imap.Selected) {
	s.exists = m.Exists
	if s.mirror != nil {
		s.mirror.Selected(m)
	}
}

func (s *session) Exists(n uint32) {
	if n > s.exists {
		if len(s.arrivals) == maxArrivals {
			s.arrivals[maxArrivals-1] = arrival{n, time.Now()} // rather too late than too early
		} else {
			s.arrivals = append(s.arrivals, arrival{n, time.Now()})
		}
		s.told.Store(true)
	}
	s.exists = n
	if s.mirror != nil {
		s.mirror.Exists(n)
	}
}

func (s *session) Expunge(seq uint32) {
	s.removed(seq)
	if s.mirror != nil {
		s.mirror.Expunge(seq)
	}
}

func (s *session) removed(seq uint32) {
	if s.exists > 0 {
		s.exists--
	}
	if s.fetched >= seq {
		s.fetched--
	}
	for i := range s.arrivals {
		if s.arrivals[i].seq >= seq {
			s.arrivals[i].seq--
		}
	}
}

func (s *session) Vanished(uids []imap.UIDRange, earlier bool) {
	if s.mirror != nil {
		s.mirror.Vanished(uids, earlier)
	}
}

func (s *session) Fetch(m *imap.Message) {
	if m.Sections != nil {
		s.fetched = max(s.fetched, m.Seq)
	}
	if s.mirror != nil {
		s.mirror.Fetch(m)
	}
}

func (s *session) Flags(flags []string) {
	if s.mirror != nil {
		s.mirror.Flags(flags)
	}
}
