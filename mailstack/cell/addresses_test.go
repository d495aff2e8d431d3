package cell

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/link"
)

func TestDirectory(t *testing.T) {
	ca := newAuthority(t)
	c := startCell(t, testConfig(t, ca, "finances"))
	s := newGateway(t, ca, "finances").connect(c)
	st, err := s.Open(link.Header{Protocol: link.ProtocolDirectory})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	st.SetReadDeadline(time.Now().Add(20 * time.Second))
	known, open := map[string]bool{}, map[string]bool{}
	var last link.DirectoryUpdate
	receive := func() {
		t.Helper()
		last = link.DirectoryUpdate{}
		if err := link.ReadFrame(st, &last); err != nil {
			t.Fatal(err)
		}
		if n := len(last.Add) + len(last.Remove) + len(last.Open) + len(last.Shut); n > link.MaxDirectoryChunk {
			t.Errorf("%d addresses in one update", n)
		}
		for _, a := range last.Open {
			open[a] = true
		}
		for _, a := range last.Shut {
			delete(open, a)
		}
		for _, a := range last.Add {
			known[a] = true
		}
		for _, a := range last.Remove {
			delete(known, a)
		}
	}
	if receive(); !last.Reset || !last.Sync || len(known) != 0 {
		t.Errorf("snapshot of nothing: %+v", last)
	}
	addresses := []string{agent}
	for i := range 1200 {
		addresses = append(addresses, fmt.Sprintf("agent%04d@gouv.tg", i))
	}
	c.accounts(addresses...)
	for len(known) < 1200 || len(open) < 1201 {
		if receive(); last.Reset || last.Sync {
			t.Errorf("change looks like a snapshot: %+v", last)
		}
	}
	c.accounts(append(slices.Clone(addresses[:1000]), "new@gouv.tg")...)
	for len(known) != 1000 || !known["new@gouv.tg"] || len(open) != 1001 {
		receive()
	}
	if known[agent] || !open[agent] || known["agent1100@gouv.tg"] || open["agent1100@gouv.tg"] {
		t.Error("an address is known that should not be")
	}
	second, err := s.Open(link.Header{Protocol: link.ProtocolDirectory})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	st, known, open = second, map[string]bool{}, map[string]bool{}
	st.SetReadDeadline(time.Now().Add(20 * time.Second))
	for receive(); !last.Sync; receive() {
	}
	if len(known) != 1000 || len(open) != 1001 {
		t.Errorf("second snapshot has %d addresses, %d open", len(known), len(open))
	}
}
