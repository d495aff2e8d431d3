package session

import (
	"fmt"
	"slices"
	"strings"

	"gouv.tg/messagerie/test/conformance/imap/response"
)

// exists takes in EXISTS: only EXPUNGE and VANISHED make a mailbox smaller, RFC 9051 section 7.4.1.
func (m *Model) exists(n int) {
	if n < len(m.Messages) {
		m.violate("EXISTS falls from %d to %d", len(m.Messages), n)
		m.Messages = m.Messages[:n]
	}
	for len(m.Messages) < n {
		m.Messages = append(m.Messages, Message{})
	}
}

// removable tells whether messages may be removed from the client's view now: RFC 9051 section 7.5.1 forbids it while
// no command is in progress, and while only FETCH, STORE and SEARCH are; RFC 5256 section 3 adds SORT and THREAD.
func (m *Model) removable() bool {
	for _, c := range m.Outstanding {
		switch c.Name {
		case "FETCH", "STORE", "SEARCH", "SORT", "THREAD":
		default:
			return true
		}
	}
	return m.Notify
}

func (m *Model) expunge(r *response.Response) {
	if m.QResync || m.Mode.UIDOnly {
		m.violate("EXPUNGE where VANISHED is due: %s", r)
	}
	if !m.removable() {
		m.violate("EXPUNGE while %s: %s", m.progress(), r)
	}
	if n := int(r.Number); n > len(m.Messages) {
		m.violate("EXPUNGE beyond the mailbox (%d): %s", len(m.Messages), r)
	} else {
		m.remove(n - 1)
	}
}

func (m *Model) remove(i int) {
	if before := m.Messages[i].Before; before > 0 {
		m.Removed = append(m.Removed, before)
	}
	m.Messages = slices.Delete(m.Messages, i, i+1)
}

func (m *Model) progress() string {
	if len(m.Outstanding) == 0 {
		return "no command is in progress"
	}
	names := make([]string, len(m.Outstanding))
	for i, c := range m.Outstanding {
		names[i] = c.Name
	}
	return strings.Join(names, ", ") + " is in progress"
}

// vanished takes in VANISHED. (EARLIER) tells of messages the client's mailbox view never had, RFC 7162 section 3.2.10.
func (m *Model) vanished(r *response.Response) {
	earlier := len(r.Args) == 2
	if !m.QResync && !m.Mode.UIDOnly {
		m.violate("VANISHED without QRESYNC or UIDONLY: %s", r)
	}
	if earlier {
		if !m.running("SELECT", "EXAMINE", "UID FETCH") {
			m.violate("VANISHED (EARLIER) while %s: %s", m.progress(), r)
		}
		return
	}
	if !m.removable() {
		m.violate("VANISHED while %s: %s", m.progress(), r)
	}
	set, _ := response.ParseSet(r.Args[0].Text)
	set.Each(100_000, func(uid uint64) {
		if i := m.position(uid); i >= 0 {
			m.remove(i)
		} else {
			m.violate("VANISHED of a message that was not there: %d in %s", uid, r)
		}
	})
}

// position finds a UID, or the first message whose UID is unknown and could be it.
func (m *Model) position(uid uint64) int {
	for i, msg := range m.Messages {
		if msg.UID == uid {
			return i
		}
		if msg.UID > uid {
			break
		}
	}
	candidate := -1
	for i, msg := range m.Messages {
		switch {
		case msg.UID > uid:
			return candidate
		case msg.UID != 0:
			candidate = -1
		case candidate < 0:
			candidate = i
		}
	}
	return candidate
}

func (m *Model) fetch(r *response.Response) {
	if m.Mode.UIDOnly {
		m.violate("FETCH after ENABLE UIDONLY: %s", r)
	}
	n := int(r.Number)
	if n > len(m.Messages) {
		m.violate("FETCH beyond the mailbox (%d): %s", len(m.Messages), r)
		return
	}
	items := response.Items(r.Args[0])
	if uid, ok := items["UID"]; ok {
		m.setUID(n-1, uid.Text, r)
	}
	if m.onlyRunning("UID FETCH", "UID STORE") {
		_, ok := items["UID"]
		if _, flags := items["FLAGS"]; !ok && !(flags && len(items) == 1) {
			// RFC 9051 section 6.4.9: UID is part of every FETCH that a UID command caused; news of flags may be another's.
			m.violate("no UID in FETCH while %s: %s", m.progress(), r)
		}
	}
	_, flags := items["FLAGS"]
	if !flags || m.running("FETCH", "UID FETCH", "SELECT", "EXAMINE") {
		return
	}
	if _, ok := items["MODSEQ"]; m.CondStore && !ok {
		m.violate("no MODSEQ in FETCH after a CONDSTORE enabling command (RFC 7162 section 3.1): %s", r)
	}
	if _, ok := items["UID"]; m.QResync && !ok {
		m.violate("no UID in FETCH after ENABLE QRESYNC (RFC 7162 section 3.2.4): %s", r)
	}
}

func (m *Model) setUID(i int, text string, r *response.Response) {
	set, ok := response.ParseSet(text)
	if !ok {
		return
	}
	uid := set[0].Low
	if known := m.Messages[i].UID; known != 0 && known != uid {
		m.violate("message %d had UID %d: %s", i+1, known, r)
	}
	for j, msg := range m.Messages {
		if msg.UID != 0 && (j < i && msg.UID >= uid || j > i && msg.UID <= uid) {
			m.violate("UIDs do not ascend: message %d has %d: %s", j+1, msg.UID, r)
			break
		}
	}
	m.Messages[i].UID = uid
}

func (m *Model) search(r *response.Response) {
	if m.Mode.Rev2 && r.Type == "SEARCH" {
		m.violate("SEARCH after ENABLE IMAP4rev2, where ESEARCH is due: %s", r)
	}
	byUID := m.running("UID SEARCH", "UID SORT")
	if !byUID && !m.running("SEARCH", "SORT") {
		m.violate("%s nobody asked for: %s", r.Type, r)
	}
	seen := map[string]bool{}
	for _, a := range r.Args {
		if a.Kind == response.List {
			continue
		}
		if seen[a.Text] {
			m.violate("a number twice: %s", r)
		}
		seen[a.Text] = true
		var n int
		if fmt.Sscan(a.Text, &n); !byUID && n > len(m.Messages) {
			m.violate("%s beyond the mailbox (%d): %s", r.Type, len(m.Messages), r)
		}
	}
}

// esearch demands the tag of a command under way, RFC 4466 section 2.6.2 and RFC 9051 section 7.3.4.
func (m *Model) esearch(r *response.Response) {
	if r.Args[0].Kind != response.List {
		m.violate("ESEARCH without the tag of its command: %s", r)
		return
	}
	tag, ok := response.Items(r.Args[0])["TAG"]
	if !ok {
		return
	}
	c := m.find(tag.Text)
	if c == nil {
		for _, v := range response.Items(r.Args[2]) {
			if v.Kind == response.List {
				return // ADDTO and REMOVEFROM live on after their command, RFC 5267
			}
		}
		m.violate("ESEARCH for a command that is not under way: %s", r)
		return
	}
	if uid := r.Args[1].Kind == response.Atom; uid != strings.HasPrefix(c.Name, "UID ") && !m.Mode.UIDOnly {
		m.violate("ESEARCH of %s: %s", c.Name, r)
	}
}
