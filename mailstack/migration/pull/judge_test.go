package pull

import "testing"

func TestJudge(t *testing.T) {
	rows := []Row{{Address: afi}, {Address: kofi}, {Address: "info@sante.gouv.tg"}, {Address: "info@finances.gouv.tg"}}
	b := newBook(rows, newCell(afi, kofi, "afi@education.gouv.tg").locate)
	for name, tt := range map[string]struct {
		user, address string
		sent, inbox   Sample
		want          Verdict
	}{
		"login is the address":      {afi, afi, Sample{}, Sample{}, Agrees},
		"in capitals":               {"AFI@gouv.tg", afi, Sample{}, Sample{}, Agrees},
		"login is the local part":   {"afi", afi, Sample{}, Sample{}, Agrees},
		"another domain":            {"afi@old.tg", afi, Sample{}, Sample{}, Agrees},
		"login says nothing":        {"u12345", afi, Sample{}, Sample{}, Unclear},
		"login of another row":      {kofi, afi, Sample{}, Sample{}, Contradicts},
		"local part of another row": {"kofi", afi, Sample{}, Sample{}, Contradicts},
		"same, at another domain":   {"kofi@old.tg", afi, Sample{}, Sample{}, Contradicts},
		"a local part of several":   {"info", "info@sante.gouv.tg", Sample{}, Sample{}, Unclear},
		"another account here":      {"afi@education.gouv.tg", afi, Sample{}, Sample{}, Contradicts},
		"the other of several":      {"info@finances.gouv.tg", "info@sante.gouv.tg", Sample{}, Sample{}, Contradicts},

		"sends as it":           {"u1", afi, Sample{Messages: 10, Ours: 6, Other: "x", Others: 4}, Sample{}, Agrees},
		"sends as another":      {"u1", afi, Sample{Messages: 10, Ours: 4, Other: "x", Others: 6}, Sample{}, Contradicts},
		"login against mail":    {"afi", afi, Sample{Messages: 10, Other: "x", Others: 10}, Sample{}, Contradicts},
		"sent one message":      {"u1", afi, Sample{Messages: 1, Other: "x", Others: 1}, Sample{}, Contradicts},
		"sends as many":         {"u1", afi, Sample{Messages: 10, Ours: 2, Other: "x", Others: 3}, Sample{}, Unclear},
		"receives for it":       {"u1", afi, Sample{}, Sample{Messages: 10, Ours: 5, Other: "x", Others: 5, Envelope: 10}, Agrees},
		"delivered for another": {"u1", afi, Sample{}, Sample{Messages: 10, Ours: 4, Other: "x", Others: 6, Envelope: 10}, Contradicts},
		"mostly lists":          {"u1", afi, Sample{}, Sample{Messages: 10, Ours: 3, Other: "tous@gouv.tg", Others: 7}, Unclear},
		"only for another":      {"u1", afi, Sample{}, Sample{Messages: 10, Other: "x", Others: 7}, Contradicts},
		"two for another":       {"u1", afi, Sample{}, Sample{Messages: 2, Other: "x", Others: 2}, Unclear},
		"login agrees, mail is delivered for another": {"afi", afi, Sample{Messages: 4, Ours: 4}, Sample{Messages: 10, Other: "x", Others: 10, Envelope: 10}, Contradicts},
	} {
		e := Evidence{User: tt.user, Address: tt.address, Sent: tt.sent, Inbox: tt.inbox}
		b.judge(&e)
		if e.Verdict != tt.want {
			t.Errorf("%s: %s (%v), want %s", name, e.Verdict, e.Reasons, tt.want)
		}
		if refused := tt.want != Agrees; e.Refused() != refused {
			t.Errorf("%s: refused %v", name, e.Refused())
		}
		if e.Force = "a good reason"; e.Refused() {
			t.Errorf("%s: refused although it is forced", name)
		}
	}
	if e := (Evidence{Verdict: Failed, Force: "a good reason"}); !e.Refused() {
		t.Error("what failed can be forced")
	}
}
