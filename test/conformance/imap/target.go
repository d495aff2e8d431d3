package imap

import (
	"bufio"
	"crypto/tls"
	"embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"gouv.tg/messagerie/test/conformance/imap/script"
)

//go:embed scripts/*.txt
var scripts embed.FS

//go:embed messages/*.eml
var messages embed.FS

//go:embed allow/*.txt
var allowances embed.FS

// Target is a server to test, with two accounts that the suite may fill and empty. Names of its mailboxes begin with
// "c" and a number, and it deletes them again; besides those it touches the INBOX, quotas and annotations.
type Target struct {
	Addr      string      // host:port
	TLS       *tls.Config // nil: plain connections to Addr
	PlainAddr string      // where STARTTLS is offered; empty: those tests are skipped
	User      string
	Password  string
	User2     string // empty: tests of two users are skipped
	Password2 string
	Token     string // OAuth 2 bearer token of User; empty: those tests are skipped
	Allow     string // name of a list of known deviations: a file in allow without its ending
	Must      []string
	Only      *regexp.Regexp // run scripts and tests whose "script/title" matches
	Timeout   time.Duration  // of each wait; 15 s unless set
}

// load parses all scripts in the order of their names.
func load() ([]*script.Script, error) {
	shared := map[string]string{}
	entries, err := messages.ReadDir("messages")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		text, err := messages.ReadFile("messages/" + e.Name())
		if err != nil {
			return nil, err
		}
		shared[strings.TrimSuffix(e.Name(), ".eml")] = strings.ReplaceAll(string(text), "\n", "\r\n")
	}
	if entries, err = scripts.ReadDir("scripts"); err != nil {
		return nil, err
	}
	var all []*script.Script
	for _, e := range entries {
		text, err := scripts.ReadFile("scripts/" + e.Name())
		if err != nil {
			return nil, err
		}
		s, err := script.Parse(strings.TrimSuffix(e.Name(), ".txt"), string(text))
		if err != nil {
			return nil, err
		}
		titles := map[string]bool{}
		for _, test := range s.Tests {
			if titles[test.Title] {
				return nil, fmt.Errorf("%s: two tests are called %q", s.Name, test.Title)
			}
			titles[test.Title] = true
		}
		for name, text := range shared {
			if _, ok := s.Messages[name]; !ok {
				s.Messages[name] = text
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// allowed reads a list of known deviations: lines of "script/title: reason".
func allowed(name string) (map[string]string, error) {
	reasons := map[string]string{}
	if name == "" {
		return reasons, nil
	}
	f, err := allowances.Open("allow/" + name + ".txt")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		test, reason, ok := strings.Cut(line, " -- ")
		if !ok || reasons[test] != "" {
			return nil, fmt.Errorf("allow/%s.txt: found %q; \"script/title -- reason\", each test once", name, line)
		}
		reasons[test] = reason
	}
	return reasons, nil
}

// rev2 are the capabilities that IMAP4rev2 includes, RFC 9051 appendix E.
var rev2 = []string{
	"NAMESPACE", "UNSELECT", "UIDPLUS", "ESEARCH", "SEARCHRES", "ENABLE", "IDLE", "SASL-IR", "LIST-EXTENDED",
	"LIST-STATUS", "MOVE", "LITERAL-", "SPECIAL-USE", "STATUS=SIZE", "CHILDREN",
}

// lacks returns the first need that is not met, or "". A need is a capability, with "*" at its end a prefix, with "!"
// before it one that must be absent; several are joined by "|"; "@" names a property of the target.
func lacks(needs, have []string, target Target) string {
	for _, need := range needs {
		if !slices.ContainsFunc(strings.Split(need, "|"), func(one string) bool { return meets(one, have, target) }) {
			return need
		}
	}
	return ""
}

func meets(need string, have []string, target Target) bool {
	if rest, ok := strings.CutPrefix(need, "!"); ok {
		return !meets(rest, have, target)
	}
	switch need {
	case "@user2":
		return target.User2 != ""
	case "@token":
		return target.Token != ""
	case "@starttls":
		return target.PlainAddr != "" && target.TLS != nil
	case "@tls":
		return target.TLS != nil
	}
	for _, capability := range have {
		if ok, _ := path.Match(strings.ToUpper(need), capability); ok {
			return true
		}
	}
	return slices.Contains(have, "IMAP4REV2") && slices.Contains(rev2, strings.ToUpper(need))
}
