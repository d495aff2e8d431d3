package pull

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestReadMapping(t *testing.T) {
	rows, err := ReadMapping(strings.NewReader("\ufeffuser,password,address\nafi,\" pass, word \",Afi@gouv.tg\n\n kofi , x ,kofi@gouv.tg\n"))
	want := []Row{{User: "afi", Password: " pass, word ", Address: "afi@gouv.tg", Line: 2}, {User: "kofi", Password: " x ", Address: "kofi@gouv.tg", Line: 4}}
	if err != nil || !reflect.DeepEqual(rows, want) {
		t.Errorf("%+v, %v", rows, err)
	}
	rows, err = ReadMapping(strings.NewReader("address,force,authorize,password,user\nafi@gouv.tg,she has married,mensah,x,master\n"))
	want = []Row{{User: "master", Password: "x", Authorize: "mensah", Address: "afi@gouv.tg", Force: "she has married", Line: 2}}
	if err != nil || !reflect.DeepEqual(rows, want) || rows[0].Identity() != "mensah" {
		t.Errorf("%+v, %v", rows, err)
	}
}

func TestReadMappingRefuses(t *testing.T) {
	const head = "user,password,address\n"
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":          {"", "header: found none"},
		"no rows":          {head, "found no rows"},
		"other column":     {"user,password,address,colour\n", `column "colour"`},
		"column twice":     {"user,password,address,user\n", `column "user"`},
		"lacking column":   {"user,address\n", "no column password"},
		"fields":           {head + "afi,hunter2\n", "line 2"},
		"quotes":           {head + "afi,\"hunter2,afi@gouv.tg\n", "no CSV"},
		"no user":          {head + ",hunter2,afi@gouv.tg\n", "line 2: user: found nothing"},
		"no password":      {head + "afi,,afi@gouv.tg\n", "line 2: password: found nothing"},
		"address":          {head + "afi,hunter2,afi\n", "line 2: address: found \"afi\""},
		"source twice":     {head + "afi,hunter2,afi@gouv.tg\nAFI,hunter2,kofi@gouv.tg\n", "line 3: user: found \"AFI\", which line 2 has too"},
		"address twice":    {head + "afi,hunter2,afi@gouv.tg\nkofi,hunter2,afi@GOUV.tg\n", "line 3: address: found afi@gouv.tg, which line 2 has too"},
		"short reason":     {"user,password,address,force\nafi,hunter2,afi@gouv.tg,yes\n", "force"},
		"long field":       {head + "afi," + strings.Repeat("hunter2", 200) + ",afi@gouv.tg\n", "line 2: password: found 1400 bytes"},
		"control":          {head + "a\x00fi,hunter2,afi@gouv.tg\n", "control"},
		"line in password": {head + "afi,\"hunter2\nx\",afi@gouv.tg\n", "line 2: password"},
		"several mistakes": {head + ",hunter2,afi@gouv.tg\nafi,,afi@gouv.tg\n", "line 3: password"},
	} {
		_, err := ReadMapping(strings.NewReader(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: tells a password: %v", name, err)
		}
	}
	var many strings.Builder
	many.WriteString(head)
	for range 1000 {
		many.WriteString(",x,y\n")
	}
	if _, err := ReadMapping(strings.NewReader(many.String())); strings.Count(err.Error(), "\n") != maxMistakes-1 {
		t.Errorf("%d lines of mistakes", strings.Count(err.Error(), "\n")+1)
	}
}

func FuzzReadMapping(f *testing.F) {
	f.Add("user,password,address,authorize,force\nafi,x,afi@gouv.tg,,\nm,x,kofi@gouv.tg,kofi,because of this\n")
	f.Add("user,password,address\n\"a\"\"b\",\"x\n\",a@b.tg\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := ReadMapping(strings.NewReader(text))
		if err != nil {
			return
		}
		sources, addresses := map[string]bool{}, map[string]bool{}
		for _, r := range rows {
			source := strings.ToLower(r.Identity())
			if sources[source] || addresses[r.Address] || r.User == "" || r.Password == "" || r.Line < 2 {
				t.Fatalf("%+v", rows)
			}
			sources[source], addresses[r.Address] = true, true
			if p := string(r.Password); len(p) > 8 && strings.Contains(fmt.Sprintf("%v %+v %#v", r.Password, r, r), p) && !strings.Contains(r.User+r.Address+r.Authorize+r.Force, p) {
				t.Fatalf("tells %q", p)
			}
		}
	})
}
