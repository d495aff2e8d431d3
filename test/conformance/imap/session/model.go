package session

import (
	"fmt"
	"slices"
	"strings"

	"gouv.tg/messagerie/test/conformance/imap/response"
)

// Message is what the model knows of a message in the selected mailbox.
type Message struct {
	UID    uint64 // 0 while unknown
	Before int    // its sequence number when the oldest command began, 0 for messages that came since
}

// Model is what a client must be able to believe.
type Model struct {
	Mode         response.Mode
	Capabilities []string // as the server said last, upper case
	Outstanding  []*Command
	Messages     []Message
	Selected     bool
	QResync      bool // ENABLE QRESYNC was answered
	CondStore    bool // an enabling command was answered
	Notify       bool // NOTIFY SET was answered
	Closed       bool // BYE was seen
	Violations   []string
	Removed      []int // sequence numbers, as before the command, that went since Mark

	uidValidity, uidNext, modSeq uint64
	stale                        bool // between SELECT and CLOSED: what comes may be of the mailbox before
}

func (m *Model) init() { m.Messages = nil }

func (m *Model) violate(format string, args ...any) {
	if len(m.Violations) < 50 {
		m.Violations = append(m.Violations, fmt.Sprintf(format, args...))
	}
}

// Mark begins a new count of Removed: sequence numbers are those of now.
func (m *Model) Mark() {
	m.Removed = nil
	for i := range m.Messages {
		m.Messages[i].Before = i + 1
	}
}

func (m *Model) find(tag string) *Command {
	for _, c := range m.Outstanding {
		if c.Tag == tag {
			return c
		}
	}
	return nil
}

func (m *Model) begin(c *Command) {
	m.Outstanding = append(m.Outstanding, c)
	if len(m.Outstanding) == 1 {
		m.started()
	}
}

// started is called when a command becomes the oldest one.
func (m *Model) started() {
	switch m.Outstanding[0].Name {
	case "SELECT", "EXAMINE":
		// RFC 7162 section 3.2.11: until CLOSED, what comes is of the mailbox that was selected.
		m.stale = m.Selected && m.QResync
		m.reset()
	}
}

func (m *Model) reset() {
	m.Selected = false
	m.Messages = nil
	m.uidValidity, m.uidNext, m.modSeq = 0, 0, 0
}

// running tells whether a command of these names is under way.
func (m *Model) running(names ...string) bool {
	return slices.ContainsFunc(m.Outstanding, func(c *Command) bool { return slices.Contains(names, c.Name) })
}

// onlyRunning tells whether commands are under way, and all of them are of these names.
func (m *Model) onlyRunning(names ...string) bool {
	return len(m.Outstanding) > 0 &&
		!slices.ContainsFunc(m.Outstanding, func(c *Command) bool { return !slices.Contains(names, c.Name) })
}

// observe holds a response against the model and takes it in.
func (m *Model) observe(r *response.Response) {
	if r.Code != nil {
		m.code(r)
	}
	switch r.Tag {
	case "+":
		return
	case "*":
	default:
		m.completed(r)
		return
	}
	if m.stale && r.Type != "OK" {
		return
	}
	switch r.Type {
	case "CAPABILITY":
		m.setCapabilities(r.Args)
	case "ENABLED":
		m.enabled(r.Args)
	case "BYE":
		m.Closed = true
	case "EXISTS":
		m.exists(int(r.Number))
	case "RECENT":
		if m.Mode.Rev2 {
			m.violate("RECENT after ENABLE IMAP4rev2: %s", r)
		}
		if int(r.Number) > len(m.Messages) && !m.running("SELECT", "EXAMINE") {
			m.violate("more recent messages than messages (%d): %s", len(m.Messages), r)
		}
	case "EXPUNGE":
		m.expunge(r)
	case "VANISHED":
		m.vanished(r)
	case "FETCH":
		m.fetch(r)
	case "UIDFETCH":
		if !m.Mode.UIDOnly {
			m.violate("UIDFETCH without UIDONLY: %s", r)
		}
	case "SEARCH", "SORT":
		m.search(r)
	case "ESEARCH":
		m.esearch(r)
	case "LSUB":
		if m.Mode.Rev2 && !m.running("LSUB") {
			m.violate("LSUB nobody asked for: %s", r)
		}
	}
}

func (m *Model) setCapabilities(args []response.Node) {
	m.Capabilities = nil
	for _, a := range args {
		name := strings.ToUpper(a.Text)
		if slices.Contains(m.Capabilities, name) {
			m.violate("capability %s is listed twice", name)
		}
		m.Capabilities = append(m.Capabilities, name)
	}
}

func (m *Model) code(r *response.Response) {
	number := func() uint64 {
		set, _ := response.ParseSet(r.Code.Args[0].Text)
		if len(set) == 0 {
			var n uint64
			fmt.Sscan(r.Code.Args[0].Text, &n)
			return n
		}
		return set[0].Low
	}
	switch r.Code.Name {
	case "CLOSED":
		m.stale = false
		m.reset()
	case "CAPABILITY":
		m.setCapabilities(r.Code.Args)
	case "UIDVALIDITY":
		m.uidValidity = number()
	case "UIDNEXT":
		if n := number(); m.stale || n >= m.uidNext {
			m.uidNext = n
		} else {
			m.violate("UIDNEXT falls from %d: %s", m.uidNext, r)
		}
	case "HIGHESTMODSEQ":
		if m.stale {
			return
		}
		var n uint64
		fmt.Sscan(r.Code.Args[0].Text, &n)
		if n < m.modSeq && m.running("SELECT", "EXAMINE") {
			m.violate("HIGHESTMODSEQ falls from %d: %s", m.modSeq, r)
		}
		m.modSeq = max(m.modSeq, n)
	case "COPYUID":
		from, _ := response.ParseSet(r.Code.Args[1].Text)
		to, _ := response.ParseSet(r.Code.Args[2].Text)
		if len(from.Numbers()) != len(to.Numbers()) {
			m.violate("COPYUID with sets of %d and %d: %s", len(from.Numbers()), len(to.Numbers()), r)
		}
	case "INPROGRESS":
		// RFC 9585 section 4: the tag, when there is one, is that of a command under way.
		if len(r.Code.Args) == 1 && r.Code.Args[0].List[0].Kind == response.Quoted && m.find(r.Code.Args[0].List[0].Text) == nil {
			m.violate("INPROGRESS of a command that is not under way: %s", r)
		}
	case "UNSEEN":
		if r.Tag == "*" && m.running("SELECT", "EXAMINE") && len(m.Messages) > 0 && int(number()) > len(m.Messages) {
			m.violate("UNSEEN beyond the mailbox (%d): %s", len(m.Messages), r)
		}
	}
}

func (m *Model) completed(r *response.Response) {
	c := m.find(r.Tag)
	if c == nil {
		m.violate("a tag that no command has: %s", r)
		return
	}
	first := m.Outstanding[0] == c
	m.Outstanding = slices.DeleteFunc(m.Outstanding, func(o *Command) bool { return o == c })
	upper := strings.ToUpper(c.Line)
	ok := r.Type == "OK"
	switch c.Name {
	case "SELECT", "EXAMINE":
		m.stale = false
		m.Selected = ok
		if !ok {
			m.reset()
		}
		if ok && m.uidValidity == 0 && r.Code != nil {
			m.violate("%s without UIDVALIDITY", c.Name)
		}
	case "CLOSE", "UNSELECT", "UNAUTHENTICATE", "LOGOUT":
		if ok {
			m.reset()
		}
		if ok && c.Name == "UNAUTHENTICATE" {
			m.Mode, m.QResync, m.CondStore, m.Notify = response.Mode{}, false, false, false
		}
	case "NOTIFY":
		m.Notify = ok && strings.Contains(upper, " SET ")
	}
	if ok && (strings.Contains(upper, "CONDSTORE") || strings.Contains(upper, "MODSEQ") ||
		strings.Contains(upper, "CHANGEDSINCE")) {
		m.CondStore = true // RFC 7162 section 3.1
	}
	if first && len(m.Outstanding) > 0 {
		m.started()
	}
}

func (m *Model) enabled(names []response.Node) {
	for _, n := range names {
		switch strings.ToUpper(n.Text) {
		case "QRESYNC":
			m.QResync, m.CondStore = true, true
		case "CONDSTORE":
			m.CondStore = true
		case "UTF8=ACCEPT":
			m.Mode.UTF8 = true
		case "IMAP4REV2":
			m.Mode.UTF8, m.Mode.Rev2 = true, true
		case "UIDONLY":
			m.Mode.UIDOnly = true
		}
	}
}
