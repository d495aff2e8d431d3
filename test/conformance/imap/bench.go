package imap

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"gouv.tg/messagerie/test/conformance/imap/response"
	"gouv.tg/messagerie/test/conformance/imap/script"
	"gouv.tg/messagerie/test/conformance/imap/session"
)

// bench is what a run keeps between tests: the connection that sets up and cleans up, and the counts.
type bench struct {
	target       Target
	run          string
	count        int
	capabilities []string
	separator    string
	others       string // prefix of the other users' namespace, empty when there is none
	house        map[string]*session.Conn
	sum          Summary
}

func (b *bench) account(who byte) (user, password string) {
	if who == 'B' {
		return b.target.User2, b.target.Password2
	}
	return b.target.User, b.target.Password
}

func (b *bench) dial(name string, plain bool, log func(string)) (*session.Conn, error) {
	o := session.Options{Name: name, Addr: b.target.Addr, TLS: b.target.TLS, Timeout: b.target.Timeout, Log: log}
	if plain {
		o.Addr, o.Plain = b.target.PlainAddr, true
	}
	if o.TLS != nil && o.TLS.ServerName == "" && !o.TLS.InsecureSkipVerify {
		o.TLS = o.TLS.Clone()
		o.TLS.ServerName, _, _ = strings.Cut(o.Addr, ":")
	}
	return session.Dial(o)
}

// login logs in with LOGIN, or AUTHENTICATE PLAIN where LOGIN is disabled.
func (b *bench) login(c *session.Conn, who byte) error {
	user, password := b.account(who)
	if c.Greeting.Type == "PREAUTH" {
		return b.learn(c)
	}
	if len(c.Capabilities) == 0 {
		if _, err := do(c, "CAPABILITY"); err != nil {
			return err
		}
	}
	var err error
	if slices.Contains(c.Capabilities, "LOGINDISABLED") {
		plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
		_, err = do(c, "AUTHENTICATE PLAIN "+plain)
	} else {
		_, err = do(c, "LOGIN "+quote(user)+" "+quote(password))
	}
	if err != nil {
		return fmt.Errorf("cannot log in: %w", err)
	}
	return b.learn(c)
}

// learn asks for the capabilities when the server did not say them with its OK.
func (b *bench) learn(c *session.Conn) error {
	c.Capabilities = nil
	_, err := do(c, "CAPABILITY")
	return err
}

func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// do runs a command that must succeed and returns its untagged responses.
func do(c *session.Conn, line string, literals ...string) ([]*response.Response, error) {
	tag := c.NewTag()
	c.Begin(tag, line)
	if err := c.Write(tag + " " + line + "\r\n"); err != nil {
		return nil, err
	}
	var all []*response.Response
	for {
		r, err := c.Next()
		if err != nil {
			return all, err
		}
		switch {
		case r.Tag == "+" && len(literals) > 0:
			if err := c.Write(literals[0] + "\r\n"); err != nil {
				return all, err
			}
			literals = literals[1:]
		case r.Tag == tag && r.Type != "OK":
			return all, fmt.Errorf("%s: %s", line, r)
		case r.Tag == tag:
			return append(all, r), nil
		default:
			all = append(all, r)
		}
	}
}

// open connects once and learns what all tests need to know.
func (b *bench) open() error {
	b.house = map[string]*session.Conn{}
	c, err := b.keeper("A")
	if err != nil {
		return err
	}
	first, err := b.dial("P", false, nil)
	if err != nil {
		return err
	}
	defer first.Close()
	if err := b.learn(first); err != nil {
		return err
	}
	b.capabilities = slices.Clone(c.Capabilities)
	for _, name := range first.Capabilities {
		// Mechanisms and what login itself needs are told before login.
		if (strings.HasPrefix(name, "AUTH=") || name == "SASL-IR") && !slices.Contains(b.capabilities, name) {
			b.capabilities = append(b.capabilities, name)
		}
	}
	all, err := do(c, `LIST "" ""`)
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Type == "LIST" {
			b.separator = r.Args[1].Text
		}
	}
	if lacks([]string{"NAMESPACE"}, b.capabilities, b.target) != "" {
		return nil
	}
	if all, err = do(c, "NAMESPACE"); err != nil {
		return err
	}
	for _, r := range all {
		if r.Type == "NAMESPACE" && r.Args[1].Kind == response.List {
			b.others = r.Args[1].List[0].List[0].Text
		}
	}
	return nil
}

// keeper returns the connection of a user that sets up and cleans up.
func (b *bench) keeper(who string) (*session.Conn, error) {
	if c := b.house[who]; c != nil && !c.Closed {
		if _, err := do(c, "NOOP"); err == nil {
			return c, nil
		}
		c.Close()
	}
	c, err := b.dial("S"+who, false, nil)
	if err != nil {
		return nil, err
	}
	if err := b.login(c, who[0]); err != nil {
		c.Close()
		return nil, err
	}
	b.house[who] = c
	return c, nil
}

func (b *bench) close() {
	for _, c := range b.house {
		c.Close()
	}
}

// vars are the variables every test has.
func (b *bench) vars(s *script.Script) *script.Vars {
	b.count++
	m := fmt.Sprintf("%sx%04d", b.run, b.count)
	t := b.target
	plain := func(parts ...string) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.Join(parts, "\x00")))
	}
	bearer := func(token string) string {
		text := "n,a=" + t.User + ",\x01auth=Bearer " + token + "\x01\x01" // RFC 7628 section 3.1
		return base64.StdEncoding.EncodeToString([]byte(text))
	}
	return &script.Vars{Messages: s.Messages, Values: map[string]string{
		"bearer": bearer(t.Token), "bearerwrong": bearer("not-a-token"),
		"plain": plain("", t.User, t.Password), "plainwrong": plain("", t.User, "not "+t.Password),
		"plainself": plain(t.User, t.User, t.Password), "plainother": plain(t.User2, t.User, t.Password),
		"m": m, "m2": m + "b", "m3": m + "c", "/": b.separator, "others": b.others,
		"user": b.target.User, "password": b.target.Password, "token": b.target.Token,
		"user2": b.target.User2, "password2": b.target.Password2,
	}}
}

// clean deletes what a test left behind of a user's mailboxes and subscriptions.
func (b *bench) clean(who, prefix string) error {
	c, err := b.keeper(who)
	if err != nil {
		return err
	}
	for _, pair := range [][2]string{{"LIST", "DELETE"}, {"LSUB", "UNSUBSCRIBE"}} {
		all, err := do(c, pair[0]+` "" "`+prefix+`*"`)
		if err != nil {
			return err
		}
		var names []string
		for _, r := range all {
			gone := slices.ContainsFunc(r.Args[:min(1, len(r.Args))], func(n response.Node) bool {
				return slices.ContainsFunc(n.List, func(f response.Node) bool { return strings.EqualFold(f.Text, `\NonExistent`) })
			})
			if r.Type == pair[0] && !gone {
				names = append(names, r.Args[2].Text)
			}
		}
		slices.SortFunc(names, func(x, y string) int { return len(y) - len(x) })
		for _, name := range names {
			// Names that only exist because of their children are gone with them.
			_, _ = do(c, pair[1]+" "+quote(name))
		}
	}
	return nil
}
