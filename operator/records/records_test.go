package records

import (
	"encoding/base64"
	"strings"
	"testing"

	"gouv.tg/messagerie/api/v1alpha1"
)

func platform(out v1alpha1.OutboundSpec) *v1alpha1.Platform {
	return &v1alpha1.Platform{Spec: v1alpha1.PlatformSpec{
		Domain: "gouv.tg", Outbound: out, DNS: v1alpha1.DNSSpec{Addresses: []v1alpha1.Address{"192.0.2.1", "2001:db8::1"}},
	}}
}

// unquote reads the strings of a TXT record as a zone file has them (RFC 1035, 5.1).
func unquote(t *testing.T, data string) []string {
	t.Helper()
	var out []string
	for data != "" {
		var ok bool
		if data, ok = strings.CutPrefix(strings.TrimLeft(data, " "), `"`); !ok {
			t.Fatalf("%q: no quote", data)
		}
		var text strings.Builder
		for {
			if data == "" {
				t.Fatal("a string has no end")
			}
			c := data[0]
			data = data[1:]
			if c == '"' {
				break
			}
			if c == '\\' {
				c, data = data[0], data[1:]
			}
			text.WriteByte(c)
		}
		if text.Len() > 255 {
			t.Errorf("a string of %d octets", text.Len())
		}
		out = append(out, text.String())
	}
	return out
}

func TestZone(t *testing.T) {
	in := Input{Platform: platform(v1alpha1.OutboundSpec{}), Ports: Ports{143, 993, 587, 465}}
	all := append(in.Host(), in.Domain("finances.gouv.tg")...)
	key := base64.StdEncoding.EncodeToString(make([]byte, 294))
	all = append(all, DKIM("finances.gouv.tg", "m1-finances", key))
	got := map[string]string{}
	for _, r := range all {
		got[string(r.Type)+" "+r.Name] = r.Data
	}
	dkim := unquote(t, got["TXT m1-finances._domainkey.finances.gouv.tg"])
	if len(dkim) != 2 || strings.Join(dkim, "") != "v=DKIM1; k=rsa; p="+key {
		t.Errorf("DKIM = %q", dkim)
	}
	for name, want := range map[string]string{
		"A mail.gouv.tg":                         "192.0.2.1",
		"AAAA mail.gouv.tg":                      "2001:db8::1",
		"MX finances.gouv.tg":                    "10 mail.gouv.tg.",
		"TXT finances.gouv.tg":                   `"v=spf1 -all"`,
		"TXT _dmarc.finances.gouv.tg":            `"v=DMARC1; p=quarantine; adkim=r; aspf=r"`,
		"TXT _smtp._tls.finances.gouv.tg":        `"v=TLSRPTv1; rua=mailto:postmaster@gouv.tg"`,
		"SRV _imaps._tcp.finances.gouv.tg":       "0 1 993 mail.gouv.tg.",
		"SRV _imap._tcp.finances.gouv.tg":        "10 1 143 mail.gouv.tg.",
		"SRV _submissions._tcp.finances.gouv.tg": "0 1 465 mail.gouv.tg.",
		"SRV _submission._tcp.finances.gouv.tg":  "10 1 587 mail.gouv.tg.",
	} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
	sts := unquote(t, got["TXT _mta-sts.finances.gouv.tg"])
	if len(sts) != 1 || !strings.HasPrefix(sts[0], "v=STSv1; id=") {
		t.Errorf("MTA-STS = %q", sts)
	}
}

func TestSenderPolicy(t *testing.T) {
	for relay, want := range map[string]string{
		"":                  "v=spf1 -all",
		"relay.gouv.tg:25":  "v=spf1 mx a:relay.gouv.tg -all",
		"192.0.2.9:25":      "v=spf1 mx ip4:192.0.2.9 -all",
		"[2001:db8::9]:587": "v=spf1 mx ip6:2001:db8::9 -all",
	} {
		out := v1alpha1.OutboundSpec{Mode: v1alpha1.OutboundDisabled}
		if relay != "" {
			out = v1alpha1.OutboundSpec{Mode: v1alpha1.OutboundRelay, Relay: relay}
		}
		if got := (Input{Platform: platform(out)}).senderPolicy(); got != want {
			t.Errorf("relay %q: %q, want %q", relay, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 700} {
		s := strings.Repeat(`a"\`, n)[:n]
		if got := strings.Join(unquote(t, Text(s)), ""); got != s {
			t.Errorf("%d octets come back as %d", n, len(got))
		}
	}
}
