package sasl

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

func TestUser(t *testing.T) {
	token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"email":"Afi@gouv.tg"}`)) + ".AA"
	for _, tc := range []struct{ mechanism, first, want string }{
		{Plain, "\x00afi\x00secret", "afi"},
		{Plain, "afi\x00afi\x00secret", "afi"},
		{Plain, "kossi\x00afi\x00secret", "!"},
		{Plain, "afi\x00secret", "!"},
		{Plain, "\x00afi\x00sec\x00ret", "!"},
		{Plain, "\x00afi\x00\xff", "!"},
		{SCRAM, "n,,n=afi,r=abc", "afi"},
		{SCRAM, "y,,n=afi,r=abc,x=extension", "afi"},
		{SCRAM, "n,a=afi,n=afi,r=abc", "afi"},
		{SCRAM, "n,a=,n=afi,r=abc", "afi"},
		{SCRAM, "n,,n=a=2Cf=3Di,r=abc", "a,f=i"},
		{SCRAMPlus, "p=tls-exporter,,n=afi,r=abc", "afi"},
		{SCRAM, "n,a=kossi,n=afi,r=abc", "!"},
		{SCRAM, "n,,n=a=2cfi,r=abc", "!"},
		{SCRAM, "n,,n=,r=abc", "!"},
		{SCRAM, "n,,n=afi,r=", "!"},
		{SCRAM, "n,,n=afi,r=a b", "!"},
		{SCRAM, "n,,n=afi", "!"},
		{SCRAM, "n,,m=x,n=afi,r=abc", "!"},
		{SCRAM, "n=afi,r=abc", "!"},
		{SCRAM, "x,,n=afi,r=abc", "!"},
		{SCRAM, "p=,,n=afi,r=abc", "!"},
		{SCRAM, "n,b=x,n=afi,r=abc", "!"},
		{SCRAM, "n,,n=" + strings.Repeat("a", MaxMessage) + ",r=abc", "!"},
		{OAuthBearer, "n,a=afi@gouv.tg,\x01host=x\x01auth=Bearer abc\x01\x01", "afi@gouv.tg"},
		{OAuthBearer, "n,,\x01auth=bearer " + token + "\x01\x01", "afi@gouv.tg"},
		{OAuthBearer, "n,,\x01auth=Bearer abc\x01\x01", "!"},
		{OAuthBearer, "n,a=afi,\x01auth=Bearer abc\x01", "!"},
		{OAuthBearer, "n,a=afi,\x01host=x\x01\x01", "!"},
		{OAuthBearer, "n,a=afi,\x01auth=Basic abc\x01\x01", "!"},
		{OAuthBearer, "n,a=afi,\x01auth=Bearer a\x01auth=Bearer b\x01\x01", "!"},
		{OAuthBearer, "n,a=afi,\x01auth=Bearer a b\x01\x01", "!"},
		{OAuthBearer, "p=tls-exporter,a=afi,\x01auth=Bearer a\x01\x01", "!"},
		{"CRAM-MD5", "afi", "!"},
	} {
		got, err := User(tc.mechanism, []byte(tc.first))
		if err != nil && !errors.Is(err, ErrMalformed) && tc.mechanism != OAuthBearer || (err != nil) != (tc.want == "!") || err == nil && got != tc.want {
			t.Errorf("%s %.60q: %q, %v; want %q", tc.mechanism, tc.first, got, err, tc.want)
		}
	}
}

func TestPrep(t *testing.T) {
	for in, want := range map[string]string{ // those of RFC 4013, 3, and more
		"I\u00adX": "IX", "user": "user", "USER": "USER", "\u00aa": "a", "\u2168": "IX",
		"mot\u00a0de\u3000passe": "mot de passe", "e\u0301te\u0301": "\u00e9t\u00e9", "zero\u200bwidth": "zerowidth",
		"\u0627\u0628": "\u0627\u0628",
		"\u0007":       "!", "\u06271": "!", "": "!", "\u00ad": "!", "a\u0000": "!", "\ue000": "!", "\u2028": "!", "\ufffd": "!", "\u202eabc": "!",
	} {
		got, ok := prep(in)
		if ok != (want != "!") || ok && got != want {
			t.Errorf("prep(%+q) = %+q, %v; want %+q", in, got, ok, want)
		}
	}
}
