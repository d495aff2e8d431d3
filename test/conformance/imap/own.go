package imap

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gouv.tg/messagerie/test/conformance/imap/response"
	"gouv.tg/messagerie/test/conformance/imap/script"
	"gouv.tg/messagerie/test/conformance/imap/session"
)

// own carries out a step of the runner itself.
func (r *trial) own(s script.Step) error {
	text, err := r.vars.Expand(s.Text)
	if err != nil {
		return err
	}
	switch s.Op {
	case "let":
		name, value, ok := strings.Cut(s.Text, "=")
		if !ok {
			return fmt.Errorf("let: found %q; name = sum accepted", s.Text)
		}
		value = strings.TrimSpace(value)
		if n, err := r.vars.Sum(value); err == nil {
			value = strconv.FormatInt(n, 10)
		} else if value, err = r.vars.Expand(value); err != nil {
			return err
		}
		r.vars.Values[strings.TrimPrefix(strings.TrimSpace(name), "$")] = value
		return nil
	case "check":
		return r.check(s.Text, text)
	case "uids":
		return r.learnUIDs(text)
	}
	c, err := r.keeper("A")
	if err != nil {
		return err
	}
	switch s.Op {
	case "create":
		_, err = do(c, "CREATE "+quote(text))
	case "append":
		err = r.append(c, strings.SplitN(text, " ", 3))
	case "messages":
		for name := range strings.FieldsSeq(text) {
			if err = r.append(c, []string{r.vars.Values["m"], name}); err != nil {
				break
			}
		}
	}
	return err
}

// append stores a message: mailbox, message and what stands between them in APPEND.
func (r *trial) append(c *session.Conn, words []string) error {
	if len(words) < 2 {
		return errors.New("append: a mailbox and a message accepted")
	}
	text, err := r.vars.Content(words[1])
	if err != nil {
		return err
	}
	options := ""
	if len(words) > 2 {
		options = words[2] + " "
	}
	if words[0] == r.vars.Values["m"] {
		r.dirty = true
	}
	_, err = do(c, fmt.Sprintf("APPEND %s %s{%d}", quote(words[0]), options, len(text)), text)
	return err
}

// learnUIDs sets $u1, $u2 and so on, and $count.
func (r *trial) learnUIDs(mailbox string) error {
	c, err := r.keeper("A")
	if err != nil {
		return err
	}
	all, err := do(c, "EXAMINE "+quote(mailbox))
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.Type == "EXISTS" {
			r.vars.Values["count"] = strconv.FormatUint(m.Number, 10)
		}
	}
	if all, err = do(c, "FETCH 1:* UID"); err != nil {
		return err
	}
	for _, m := range all {
		if m.Type == "FETCH" {
			r.vars.Values["u"+strconv.FormatUint(m.Number, 10)] = response.Items(m.Args[0])["UID"].Text
		}
	}
	_, err = do(c, "CLOSE")
	return err
}

// check compares two values: numbers with < <= > >=, text with = and !=.
func (r *trial) check(source, text string) error {
	words := strings.Fields(text)
	if len(words) != 3 {
		return fmt.Errorf("check: found %q; a value, a comparison and a value accepted", source)
	}
	a, errA := strconv.ParseUint(words[0], 10, 64)
	b, errB := strconv.ParseUint(words[2], 10, 64)
	if errA != nil || errB != nil {
		if words[1] == "=" && words[0] == words[2] || words[1] == "!=" && words[0] != words[2] {
			return nil
		}
		return fmt.Errorf("check %s: %s", source, text)
	}
	ok := map[string]bool{"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "=": a == b, "!=": a != b}[words[1]]
	if !ok {
		return fmt.Errorf("check %s: %s", source, text)
	}
	return nil
}

// scram runs AUTHENTICATE with a SCRAM mechanism: the mechanism and, for refusals, "proof" or "binding".
func (r *trial) scram(c *talk, text string) error {
	mechanism, wrong, _ := strings.Cut(text, " ")
	kind, data := c.ChannelBinding()
	if strings.HasSuffix(mechanism, "-PLUS") && data == nil {
		return errors.New("the channel has no binding")
	}
	x := session.NewSCRAM(mechanism, r.target.User, r.target.Password, kind, data)
	x.WrongProof, x.WrongBinding = wrong == "proof", wrong == "binding"
	tag := c.NewTag()
	cmd := c.Begin(tag, "AUTHENTICATE "+mechanism)
	if err := c.Write(tag + " AUTHENTICATE " + mechanism + "\r\n"); err != nil {
		return err
	}
	ask := func() (string, error) {
		got, err := c.untilContinuation(cmd)
		if err != nil {
			return "", err
		}
		if got.Tag != "+" {
			return "", fmt.Errorf("a challenge was due, got %s", got)
		}
		plain, err := base64.StdEncoding.DecodeString(got.Text)
		return string(plain), err
	}
	reply := func(text string) error { return c.Write(base64.StdEncoding.EncodeToString([]byte(text)) + "\r\n") }
	if _, err := ask(); err != nil {
		return err
	}
	if err := reply(x.First()); err != nil {
		return err
	}
	first, err := ask()
	if err != nil {
		return err
	}
	final, err := x.Final(first)
	if err != nil {
		return err
	}
	if err := reply(final); err != nil {
		return err
	}
	got, err := c.untilContinuation(cmd)
	if err != nil {
		return err
	}
	if wrong != "" {
		// RFC 5802 section 5.1: the server may say what is wrong as a challenge before it fails the exchange.
		if got.Tag == "+" {
			if err := reply(""); err != nil {
				return err
			}
			if got, err = c.untilContinuation(cmd); err != nil {
				return err
			}
		}
		if got.Type != "NO" {
			return fmt.Errorf("NO was due, got %s", got)
		}
		return nil
	}
	if got.Tag != "+" {
		return fmt.Errorf("the server's signature was due, got %s", got)
	}
	plain, err := base64.StdEncoding.DecodeString(got.Text)
	if err != nil {
		return err
	}
	if err := x.Verify(string(plain)); err != nil {
		return err
	}
	if err := reply(""); err != nil {
		return err
	}
	if got, err = c.untilContinuation(cmd); err != nil {
		return err
	}
	if got.Type != "OK" {
		return fmt.Errorf("OK was due, got %s", got)
	}
	r.sum.Commands++
	return nil
}
