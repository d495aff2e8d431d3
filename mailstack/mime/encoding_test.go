package mime

import (
	"bytes"
	stdbase64 "encoding/base64"
	"io"
	"mime/quotedprintable"
	"testing"
)

func TestTransferDecoding(t *testing.T) {
	for _, test := range []struct{ code, body, want string }{
		{"base64", "YWJj\r\nZGVm", "abcdef"},
		{"base64", "YWI=YWI=", "abab"}, // joined pieces
		{"BASE64 ", "YW!J j\r\n", "abc"},
		{"base64", "YW", "a"}, {"base64", "YWI", "ab"}, {"base64", "Y", ""}, {"base64", "=YWJj", "abc"},
		{"quoted-printable", "a=\r\nb =20 \t\r\nc=3d=3D", "ab  \r\nc=="},
		{"quoted-printable", "=\r\n=", ""}, {"quoted-printable", "=4 =XX =", "=4 =XX "},
		{"quoted-printable", "a=\nb\n", "ab\n"},
		{"8bit", "\xe9=41", "\xe9=41"},
	} {
		got, ok := Whole([]byte("Content-Transfer-Encoding: " + test.code + "\r\n\r\n" + test.body)).Decoded()
		if !ok || string(got) != test.want {
			t.Errorf("%s %q: %q, want %q", test.code, test.body, got, test.want)
		}
	}
}

// FuzzTransfer decodes what the standard library encodes, and what it cannot decode too.
func FuzzTransfer(f *testing.F) {
	f.Add([]byte("été = \t\r\n."))
	f.Fuzz(func(t *testing.T, data []byte) {
		code := []byte(stdbase64.StdEncoding.EncodeToString(data))
		broken := bytes.Join([][]byte{code[:len(code)/3], code[len(code)/3:]}, []byte(" \r\n"))
		if got := appendBase64(nil, broken); !bytes.Equal(got, data) {
			t.Fatalf("base64: %q, want %q", got, data)
		}
		var b bytes.Buffer
		w := quotedprintable.NewWriter(&b)
		w.Binary = true
		_, _ = w.Write(data)
		_ = w.Close()
		if got := appendQuotedPrintable(nil, b.Bytes()); !bytes.Equal(got, data) {
			t.Fatalf("quoted-printable: %q, want %q", got, data)
		}
		want, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(data)))
		if got := appendQuotedPrintable(nil, data); err == nil && !bytes.ContainsAny(data, "\r=") && !bytes.Equal(got, want) {
			t.Fatalf("quoted-printable %q: %q, want %q", data, got, want)
		}
		if got := appendBase64(nil, data); len(got) > len(data) {
			t.Fatalf("base64 %q: %q", data, got)
		}
	})
}
