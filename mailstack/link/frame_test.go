package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

func frame(body string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func TestFrameRoundTrip(t *testing.T) {
	want := Header{Protocol: ProtocolIMAP, RemoteAddr: "192.0.2.1:993", TLSVersion: "1.3", User: "é<&>@gouv.tg", Ticket: "t"}
	var b bytes.Buffer
	if err := WriteFrame(&b, want); err != nil {
		t.Fatal(err)
	}
	b.WriteString("rest")
	var got Header
	if err := ReadFrame(&b, &got); err != nil || got != want {
		t.Fatalf("ReadFrame = %+v, %v; want %+v", got, err, want)
	}
	if b.String() != "rest" {
		t.Errorf("left %q, want what follows the frame untouched", b.String())
	}
}

func TestReadFrameRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing":       {nil, io.EOF},
		"half a length": {[]byte{0, 0}, io.ErrUnexpectedEOF},
		"no body":       {frame("{}")[:4], io.ErrUnexpectedEOF},
		"half a body":   {frame("{}")[:5], io.ErrUnexpectedEOF},
		"too long":      {[]byte{0, 1, 0, 1}, ErrFrameTooLarge},
		"huge":          {[]byte{0xff, 0xff, 0xff, 0xff}, ErrFrameTooLarge},
		"not JSON":      {frame("{]"), nil},
		"empty":         {frame(""), nil},
		"wrong type":    {frame(`{"user":1}`), nil},
	} {
		err := ReadFrame(bytes.NewReader(tc.in), new(Header))
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: error is %v, want %v", name, err, tc.want)
		}
	}
}

func TestWriteFrameTooLarge(t *testing.T) {
	var b bytes.Buffer
	if err := WriteFrame(&b, strings.Repeat("x", MaxFrame)); !errors.Is(err, ErrFrameTooLarge) || b.Len() != 0 {
		t.Errorf("error is %v with %d bytes written, want ErrFrameTooLarge and none", err, b.Len())
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add(frame(`{"protocol":"imap"}`))
	f.Add(frame(`{"add":["a@gouv.tg"],"reset":true}`))
	f.Add([]byte{0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		var u DirectoryUpdate
		if ReadFrame(r, &u) != nil {
			return
		}
		if used := len(in) - r.Len(); used != 4+int(binary.BigEndian.Uint32(in)) {
			t.Fatalf("read %d bytes of a frame of %d", used, binary.BigEndian.Uint32(in))
		}
		var b bytes.Buffer
		if err := WriteFrame(&b, u); errors.Is(err, ErrFrameTooLarge) {
			return // escapes can make it longer than it came
		} else if err != nil {
			t.Fatal(err)
		}
		var again DirectoryUpdate
		if err := ReadFrame(&b, &again); err != nil || !reflect.DeepEqual(clean(u), clean(again)) {
			t.Fatalf("%+v became %+v: %v", u, again, err)
		}
	})
}

// clean makes empty and missing lists the same.
func clean(u DirectoryUpdate) DirectoryUpdate {
	if len(u.Add) == 0 {
		u.Add = nil
	}
	if len(u.Remove) == 0 {
		u.Remove = nil
	}
	if len(u.Mechanisms) == 0 {
		u.Mechanisms = nil
	}
	return u
}
