package scenario

import (
	"strings"
	"testing"
)

func TestProfiles(t *testing.T) {
	names := Profiles()
	if len(names) < 7 {
		t.Fatalf("profiles: %q", names)
	}
	for _, name := range names {
		s, err := Profile(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s.Name != name || s.Description == "" || len(s.Gates) == 0 {
			t.Errorf("%s: %+v", name, s)
		}
		if err := s.CheckTargets(); err == nil {
			t.Errorf("%s: no target is missed", name)
		}
		s.Targets = map[string]string{"smtp": "127.0.0.1:25", "submissions": "127.0.0.1:465", "imaps": "127.0.0.1:993"}
		if err := s.CheckTargets(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Profile("absent"); err == nil || !strings.Contains(err.Error(), "smoke") {
		t.Errorf("absent: %v", err)
	}
}

func TestSmokeIsShort(t *testing.T) {
	s, err := Profile("smoke")
	if err != nil {
		t.Fatal(err)
	}
	if total := s.Total() + s.Settle(); total.Seconds() > 45 {
		t.Errorf("smoke takes up to %s", total)
	}
}

func TestValidate(t *testing.T) {
	valid := func() Scenario {
		s, err := Profile("smoke")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for field, change := range map[string]func(*Scenario){
		"users":                         func(s *Scenario) { s.Users = 0 },
		"workers":                       func(s *Scenario) { s.Workers = 17 },
		"durationSeconds":               func(s *Scenario) { s.DurationSeconds = 0 },
		"sessions.share":                func(s *Scenario) { s.Sessions.Share = 1.5 },
		"streams[0].activity":           func(s *Scenario) { s.Streams[0].Activity = "Fax" },
		"streams[0].rate":               func(s *Scenario) { s.Streams[0].Rate = -1 },
		"streams[1].name":               func(s *Scenario) { s.Streams[1].Name = s.Streams[0].Name },
		"streams[0].curve[1].at":        func(s *Scenario) { s.Streams[0].Curve = []Point{{5, 1}, {4, 2}} },
		"streams[0].shape":              func(s *Scenario) { s.Streams[0].Curve, s.Streams[0].Shape = []Point{{5, 1}}, Diurnal },
		"streams[0].concurrency":        func(s *Scenario) { s.Streams[0].Model = Closed },
		"streams[2].actions[0].act":     func(s *Scenario) { s.Streams[2].Actions = []Weight{{"Dance", 1}} },
		"streams[2].activity":           func(s *Scenario) { s.Sessions.Share = 0 },
		"streams: found none":           func(s *Scenario) { s.Streams, s.Sessions.Share = nil, 0 },
		"targets.imap":                  func(s *Scenario) { s.Targets = map[string]string{"imap": "nowhere"} },
		`targets.50%d: found "nowhere"`: func(s *Scenario) { s.Targets = map[string]string{"50%d": "nowhere"} },
		"targets: found \"gopher\"":     func(s *Scenario) { s.Targets = map[string]string{"gopher": "127.0.0.1:70"} },
	} {
		s := valid()
		change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if s := valid(); s.Validate() != nil {
		t.Error(s.Validate())
	}
	if _, err := Parse([]byte("users: 1\nduration: 5\n")); err == nil || !strings.Contains(err.Error(), "duration") {
		t.Errorf("an unknown field: %v", err)
	}
}

func TestThinkSeconds(t *testing.T) {
	s := Scenario{Users: 3600, Streams: []Stream{{Activity: MX, PerUserHour: 1}, {Activity: Phone, PerUserHour: 3}, {Activity: MX, Model: Closed}}}
	if z := s.ThinkSeconds(); z != 900 {
		t.Errorf("every agent does something four times an hour, every 900 s: %g", z)
	}
}

func TestReadAccounts(t *testing.T) {
	accounts, err := ReadAccounts(strings.NewReader("\ufeffAddress,name,password,site\nA@gouv.tg,x,secret-1,3\nb@gouv.tg,,\"sec,ret\",\na@gouv.tg,,other,1\n"))
	if err != nil || len(accounts) != 2 || accounts[0] != (Account{"a@gouv.tg", "secret-1", 3}) || accounts[1].Password != "sec,ret" {
		t.Fatalf("%v %+v", err, accounts)
	}
	for text, want := range map[string]string{
		"":                                  "no first line",
		"name\nx\n":                         "accepted are address",
		"address,password\n":                "found none",
		"address,password\na@b,hush\nc@d\n": "line 3",
		"address,password\nnobody,hush\n":   "line 2",
		"address,password,site\na@b,hush,0": "site",
		"address,password\n\"a@b,hush\n":    "line 2",
	} {
		_, err := ReadAccounts(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCheckPasswords(t *testing.T) {
	accounts := []Account{{Address: "a@gouv.tg"}}
	login, outside := Scenario{Sessions: Sessions{Share: 1}}, Scenario{Streams: []Stream{{Activity: MX}}}
	if err := login.CheckPasswords(accounts); err == nil || outside.CheckPasswords(accounts) != nil {
		t.Errorf("who logs in needs a password, and nobody else: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range Profiles() {
		text, err := profileFiles.ReadFile("profiles/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := Parse(text); err == nil {
			s.ThinkSeconds()
			s.Needs()
		}
	})
}
