package nullserver_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/loadtest/nullserver"
)

func program(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, arguments, err, out)
	}
	return string(out)
}

func TestSwaks(t *testing.T) {
	o, _ := withTLS(nullserver.Options{Accounts: func(user, password string) bool { return user == "a@x.test" && password == "secret" }})
	s := start(t, o)
	for endpoint, options := range map[string][]string{
		"smtp":        {},
		"submission":  {"-tls", "-a", "PLAIN", "-au", "a@x.test", "-ap", "secret"},
		"submissions": {"-tlsc", "-a", "PLAIN", "-au", "a@x.test", "-ap", "secret"},
		"lmtp":        {"--protocol", "LMTP"},
	} {
		t.Run(endpoint, func(t *testing.T) {
			program(t, "swaks", append(options, "--server", s.Endpoints()[endpoint], "-f", "a@x.test", "-t", "b@x.test,c@x.test", "--pipeline")...)
		})
	}
	if n := s.Counts(); !t.Failed() && n.Accepted > 0 && (n.Accepted != 4 || n.Delivered != 8) {
		t.Errorf("%+v", n)
	}
}

// mbsync fetches a mailbox, finds what is in it, and brings back a change of flags.
func TestMbsync(t *testing.T) {
	s := start(t, nullserver.Options{Keep: true, CondStore: true})
	c := login(t, s, "b@x.test", nil)
	must(t, c.Create("Archives", nil).Wait())
	for range 20 {
		put(t, c, "INBOX", letter)
		put(t, c, "Archives", letter, imap.FlagSeen)
	}
	host, port, err := net.SplitHostPort(s.Endpoints()["imap"])
	must(t, err)
	dir := t.TempDir()
	rc := filepath.Join(dir, "rc")
	must(t, os.WriteFile(rc, fmt.Appendf(nil, "IMAPAccount n\nHost %s\nPort %s\nUser b@x.test\nPass secret\nSSLType None\nAuthMechs LOGIN\n\n"+
		"IMAPStore far\nAccount n\n\nMaildirStore near\nPath %s/\nInbox %s/INBOX\nSubFolders Verbatim\n\n"+
		"Channel c\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n", host, port, dir, dir), 0o600))
	program(t, "mbsync", "-c", rc, "c")
	for _, box := range []string{"INBOX", "Archives"} {
		files, err := filepath.Glob(filepath.Join(dir, box, "*", "*,U=*"))
		must(t, err)
		if len(files) != 20 {
			t.Fatalf("%s: %d messages came", box, len(files))
		}
		text, err := os.ReadFile(files[0])
		must(t, err)
		got := regexp.MustCompile(`X-TUID: .*\n`).ReplaceAllString(string(text), "") // mbsync's own
		if got != strings.ReplaceAll(letter, "\r\n", "\n") {
			t.Errorf("%q", got)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "INBOX", "new", "*"))
	must(t, err)
	must(t, os.Rename(files[0], filepath.Join(dir, "INBOX", "cur", strings.TrimSuffix(filepath.Base(files[0]), ":2,")+":2,FS")))
	must(t, os.Remove(files[1])) // no longer there: deleted at the server too
	program(t, "mbsync", "-c", rc, "c")
	must(t, c.Noop().Wait())
	flagged, err := c.Search(&imap.SearchCriteria{Flag: []imap.Flag{imap.FlagFlagged, imap.FlagSeen}}, nil).Wait()
	must(t, err)
	if n := len(flagged.AllSeqNums()); n != 1 || c.Mailbox().NumMessages != 19 {
		t.Errorf("%d flagged of %d messages", n, c.Mailbox().NumMessages)
	}
}
