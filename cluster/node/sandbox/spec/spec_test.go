package spec

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	want := &Spec{
		Hostname: "cell-0", Args: []string{"/stackd", "cell"}, Env: []string{"A=b"}, UID: 10001, GID: 10001,
		Groups: []uint32{7}, Capabilities: []uint{10}, Seccomp: true, OpenFiles: 1024,
		Root: &Root{Staging: "/s", ReadOnly: true, Mounts: []Mount{{Source: "/a", Target: "/b", ReadOnly: true}}},
	}
	var buf bytes.Buffer
	if err := Write(&buf, want); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&buf)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestReadRefuses(t *testing.T) {
	if _, err := Read(strings.NewReader("")); !errors.Is(err, ErrNone) {
		t.Errorf("end at once: got %v, want ErrNone", err)
	}
	for _, in := range []string{`{`, `{}`, `{"args":[""]}`, `{"args":["/a"],"root":{}}`, `{"args":["/a"]}{`} {
		if s, err := Read(strings.NewReader(in)); err == nil {
			t.Errorf("%s: got %+v, want an error", in, s)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"args":["/stackd"],"root":{"staging":"/s"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(bytes.NewReader(data))
		if err == nil && (len(s.Args) == 0 || s.Args[0] == "") {
			t.Errorf("accepted a container without a command: %q", data)
		}
	})
}
