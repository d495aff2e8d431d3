package clients

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"gouv.tg/messagerie/test/conformance/imap/response"
	"gouv.tg/messagerie/test/conformance/imap/session"
)

// patience bounds each wait for the server.
const patience = 30 * time.Second

// account is one account of the server, over a connection of our own that also watches the server (package session).
type account struct {
	*session.Conn
	user, password string
}

func login(addr string, config *tls.Config, user, password string) (*account, error) {
	conn, err := session.Dial(session.Options{Name: user, Addr: addr, TLS: config, Timeout: patience})
	if err != nil {
		return nil, err
	}
	a := &account{conn, user, password}
	if _, err := a.do("LOGIN " + quote(user) + " " + quote(password)); err != nil {
		conn.Close()
		return nil, err
	}
	return a, nil
}

func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// do runs a command, which must succeed, with at most one literal at its end.
func (a *account) do(line string, literal ...string) ([]*response.Response, error) {
	tag := a.NewTag()
	a.Begin(tag, line)
	if err := a.Write(tag + " " + line + "\r\n"); err != nil {
		return nil, err
	}
	var all []*response.Response
	for {
		r, err := a.Next()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		switch {
		case r.Tag == "+" && len(literal) == 1:
			err = a.Write(literal[0] + "\r\n")
		case r.Tag == tag && r.Type != "OK":
			err = fmt.Errorf("%s: %s", line, r)
		case r.Tag == tag:
			return all, nil
		default:
			all = append(all, r)
		}
		if err != nil {
			return nil, err
		}
	}
}

// mailboxes lists what can be selected.
func (a *account) mailboxes() ([]string, error) {
	all, err := a.do(`LIST "" "*"`)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range all {
		cannot := slices.ContainsFunc(r.Args[0].List, func(n response.Node) bool {
			return strings.EqualFold(n.Text, `\Noselect`) || strings.EqualFold(n.Text, `\NonExistent`)
		})
		if r.Type == "LIST" && !cannot {
			names = append(names, r.Args[2].Text)
		}
	}
	return names, nil
}

// empty deletes everything.
func (a *account) empty() error {
	names, err := a.mailboxes()
	if err != nil {
		return err
	}
	slices.SortFunc(names, func(x, y string) int { return len(y) - len(x) })
	for _, name := range names {
		_, _ = a.do("UNSUBSCRIBE " + quote(name))
		if !strings.EqualFold(name, "INBOX") {
			if _, err := a.do("DELETE " + quote(name)); err == nil {
				continue
			}
		}
		// What cannot be deleted is emptied.
		if _, err := a.do("SELECT " + quote(name)); err != nil {
			return err
		}
		_, _ = a.do(`STORE 1:* +FLAGS.SILENT (\Deleted)`)
		if _, err := a.do("CLOSE"); err != nil {
			return err
		}
	}
	return nil
}

// message is what a client must keep of a message.
type message struct {
	hash  string
	flags string
	date  time.Time
}

// tree is an account as a whole: the messages of every mailbox by their octets.
type tree map[string][]message

// added are the headers that clients put into messages to find them again.
var added = regexp.MustCompile(`(?mi)^(X-TUID|X-OfflineIMAP): .*\r?\n`)

// snapshot reads an account.
func (a *account) snapshot() (tree, error) {
	names, err := a.mailboxes()
	if err != nil {
		return nil, err
	}
	t := tree{}
	for _, name := range names {
		if t[name], err = a.messages(name); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (a *account) messages(name string) ([]message, error) {
	if _, err := a.do("EXAMINE " + quote(name)); err != nil {
		return nil, err
	}
	all, err := a.do("UID FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])")
	if err != nil {
		return nil, err
	}
	messages := []message{}
	for _, r := range all {
		if r.Type != "FETCH" {
			continue
		}
		items := response.Items(r.Args[0])
		text, ok := items["BODY[]"]
		if !ok {
			continue
		}
		var flags []string
		for _, f := range items["FLAGS"].List {
			flags = append(flags, f.Text)
		}
		date, err := time.Parse("_2-Jan-2006 15:04:05 -0700", items["INTERNALDATE"].Text)
		if err != nil {
			return nil, err
		}
		messages = append(messages, newMessage(text.Text, flags, date))
	}
	order(messages)
	return messages, nil
}

func newMessage(text string, flags []string, date time.Time) message {
	sum := sha256.Sum256([]byte(added.ReplaceAllString(text, "")))
	kept := map[string]bool{}
	for _, f := range flags {
		if !strings.EqualFold(f, `\Recent`) {
			kept[strings.ToLower(f)] = true
		}
	}
	return message{hex.EncodeToString(sum[:8]), strings.Join(slices.Sorted(maps.Keys(kept)), " "), date}
}

// order sorts messages so that equal mailboxes are equal lists.
func order(messages []message) {
	slices.SortFunc(messages, func(x, y message) int {
		if c := strings.Compare(x.hash, y.hash); c != 0 {
			return c
		}
		return x.date.Compare(y.date)
	})
}

// decodeName turns modified UTF-7 into UTF-8, RFC 3501 section 5.1.3.
func decodeName(name string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(name, "&")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		shifted, after, _ := strings.Cut(rest, "-")
		if shifted == "" {
			b.WriteByte('&')
		}
		raw, _ := base64.RawStdEncoding.DecodeString(strings.ReplaceAll(shifted, ",", "/"))
		var units []uint16
		for i := 0; i+1 < len(raw); i += 2 {
			units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
		}
		b.WriteString(string(utf16.Decode(units)))
		name = after
	}
}

// keeps says what of a message a client keeps.
type keeps struct{ keywords, dates bool }

// differences compares two accounts and returns what differs.
func differences(a, b tree, k keeps) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(a)) {
		other, ok := b[name]
		if !ok {
			all = append(all, fmt.Sprintf("mailbox %q: only in the first", name))
			continue
		}
		if len(a[name]) != len(other) {
			all = append(all, fmt.Sprintf("mailbox %q: %d and %d messages", name, len(a[name]), len(other)))
			continue
		}
		for i, m := range a[name] {
			n := other[i]
			switch {
			case m.hash != n.hash:
				all = append(all, fmt.Sprintf("mailbox %q: octets of message %d differ: %s %s", name, i, m.hash, n.hash))
			case k.flags(m) != k.flags(n):
				all = append(all, fmt.Sprintf("mailbox %q: flags of %s: %q and %q", name, m.hash, k.flags(m), k.flags(n)))
			case k.dates && !m.date.Equal(n.date):
				all = append(all, fmt.Sprintf("mailbox %q: dates of %s: %s and %s", name, m.hash, m.date, n.date))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if _, ok := a[name]; !ok {
			all = append(all, fmt.Sprintf("mailbox %q: only in the second", name))
		}
	}
	return all
}

func (k keeps) flags(m message) string {
	if k.keywords {
		return m.flags
	}
	var system []string
	for f := range strings.FieldsSeq(m.flags) {
		if strings.HasPrefix(f, `\`) {
			system = append(system, f)
		}
	}
	return strings.Join(system, " ")
}
