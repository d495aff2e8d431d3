package imap

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"gouv.tg/messagerie/test/conformance/imap/script"
	"gouv.tg/messagerie/test/conformance/imap/session"
)

// placed is a literal in a command: {@message}, {"text"} or {|}, with "~" before for literal8 and "+" after the brace
// for one that does not wait.
var placed = regexp.MustCompile(`(~?)\{(\+?)(@[a-z0-9_.-]+|"(?:[^"\\]|\\.)*"|\|)\}`)

func unquote(text string) (string, error) {
	raw, err := strconv.Unquote(text)
	if err != nil {
		return "", fmt.Errorf("octets: found %s; a quoted string accepted", text)
	}
	return raw, nil
}

type piece struct {
	text string
	wait bool // for a continuation request after it
}

// pieces cuts a command at its literals.
func (r *trial) pieces(s script.Step) ([]piece, error) {
	var all []piece
	blocks := s.Blocks
	rest := s.Text
	line := ""
	for {
		at := placed.FindStringSubmatchIndex(rest)
		if at == nil {
			text, err := r.vars.Expand(rest)
			return append(all, piece{text: line + text + "\r\n"}), err
		}
		before, err := r.vars.Expand(rest[:at[0]])
		if err != nil {
			return nil, err
		}
		binary, plus, what := rest[at[2]:at[3]], rest[at[4]:at[5]], rest[at[6]:at[7]]
		var data string
		switch what[0] {
		case '@':
			data, err = r.vars.Content(what[1:])
		case '|':
			data, err = r.vars.Expand(blocks[0])
			blocks = blocks[1:]
		default:
			if data, err = unquote(what); err == nil {
				data, err = r.vars.Expand(data)
			}
		}
		if err != nil {
			return nil, err
		}
		all = append(all, piece{fmt.Sprintf("%s%s%s{%d%s}\r\n", line, before, binary, len(data), plus), plus == ""})
		line, rest = data, rest[at[1]:]
	}
}

// send writes a command; where it has synchronising literals it waits for the server's consent. A command that is
// refused half-way is over.
func (r *trial) send(c *talk, s script.Step) (*session.Command, error) {
	all, err := r.pieces(s)
	if err != nil {
		return nil, err
	}
	c.Mark()
	tag := c.NewTag()
	r.vars.Values["tag"] = tag
	expanded, err := r.vars.Expand(strings.Join(strings.Fields(placed.ReplaceAllString(s.Text, "")), " "))
	if err != nil {
		return nil, err
	}
	cmd := c.Begin(tag, expanded)
	c.sent = append(c.sent, cmd)
	pending := tag + " "
	for _, p := range all {
		pending += p.text
		if !p.wait {
			continue
		}
		if err := c.Write(pending); err != nil {
			return nil, err
		}
		pending = ""
		got, err := c.untilContinuation(cmd)
		if err != nil {
			return nil, fmt.Errorf("waiting for a continuation request: %w", err)
		}
		if got.Tag != "+" {
			return cmd, nil // refused before the literal was sent
		}
	}
	return cmd, c.Write(pending)
}

// begun is where a command begins in raw octets: with a tag of the runner's choice, or with the one in brackets.
var begun = regexp.MustCompile(`\$newtag(<[^>]+>)?`)

// raw writes octets as they are. "$newtag" or "$newtag<tag>" begins a command there; it is awaited with "=".
func (r *trial) raw(c *talk, text string) error {
	raw, err := unquote(text)
	if err != nil {
		return err
	}
	for {
		at := begun.FindStringSubmatchIndex(raw)
		if at == nil {
			break
		}
		c.Mark()
		tag := ""
		if at[2] >= 0 {
			tag = raw[at[2]+1 : at[3]-1]
		} else {
			tag = c.NewTag()
		}
		line, _, _ := strings.Cut(raw[at[1]:], "\r\n")
		c.sent = append(c.sent, c.Begin(tag, strings.TrimSpace(line)))
		raw = raw[:at[0]] + tag + raw[at[1]:]
	}
	if raw, err = r.vars.Expand(raw); err != nil {
		return err
	}
	return c.Write(raw)
}
