package main

import (
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	o, err := parse([]string{"-quick", "-rounds", "2", "-only", "imap/.*", "-peers", "ours,mox"})
	if err != nil || o.rounds != 2 || o.Duration != time.Second || o.Big != 5000 || len(o.peers) != 2 || !o.only.MatchString("imap/noop") || o.only.MatchString("syncs/x") {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := parse(nil); err != nil || o.rounds != 3 || o.Big != 50_000 || len(o.peers) != len(allPeers) {
		t.Errorf("%+v, %v", o, err)
	}
	for arguments, want := range map[string]string{
		"-rounds 0":      "-rounds: found 0",
		"-duration 1ms":  "-duration: found 1ms",
		"-only (":        "-only: ",
		"-peers exim":    `-peers: found "exim"`,
		"-messages 1e9":  "invalid value",
		"-big 100000000": "-big: found",
	} {
		if _, err := parse(strings.Fields(arguments)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", arguments, err)
		}
	}
}
