package mime

import (
	stdbase64 "encoding/base64"
	"mime/quotedprintable"
	"strings"
	"testing"
)

// letter8K returns a message of about 8 KB as it is written in an office, its text in the given encoding.
func sample(kind string) []byte {
	const size = 7 << 10
	line := "Le Conseil des ministres se tient le mardi 3 mars a dix heures dans la salle du palais.\r\n"
	accented := "Élections législatives : l'été a été très chaud à Lomé, et les préfets l'ont noté après.\r\n"
	header := "Received: from mx.gouv.tg (mx.gouv.tg [192.0.2.1])\r\n\tby cell.gouv.tg with LMTP id 1234567890; Sun, 22 Nov 2026 17:00:40 +0000\r\n" +
		"From: Kossi Mensah <kossi.mensah@finances.gouv.tg>\r\nTo: Ama Koffi <ama.koffi@sante.gouv.tg>\r\nSubject: Conseil du mardi\r\n" +
		"Date: Sun, 22 Nov 2026 17:00:40 +0000\r\nMessage-ID: <1234567890@finances.gouv.tg>\r\nMIME-Version: 1.0\r\n"
	repeat := func(s string) string { return strings.Repeat(s, size/len(s)) }
	switch kind {
	case "ascii":
		return []byte(header + "Content-Type: text/plain; charset=us-ascii\r\n\r\n" + repeat(line))
	case "utf-8":
		return []byte(header + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + repeat(line+accented))
	case "latin":
		text := toLatin(repeat(line + accented))
		return []byte(header + "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text)
	case "quoted-printable":
		var b strings.Builder
		w := quotedprintable.NewWriter(&b)
		_, _ = w.Write([]byte(repeat(line + accented)))
		_ = w.Close()
		return []byte(header + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + b.String())
	case "base64":
		code := stdbase64.StdEncoding.EncodeToString([]byte(repeat(line + accented)[:size*3/4]))
		var b strings.Builder
		for len(code) > 76 {
			b.WriteString(code[:76] + "\r\n")
			code = code[76:]
		}
		return []byte(header + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b.String() + code + "\r\n")
	case "html":
		return []byte(header + "Content-Type: text/html; charset=utf-8\r\n\r\n<html><body>" +
			repeat("<p class=\"MsoNormal\"><span style=\"font-size:11pt\">"+strings.TrimSpace(line)+" &eacute;t&eacute; "+strings.TrimSpace(accented)+"</span></p>\r\n"))
	}
	panic(kind)
}

func toLatin(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte(byte(r))
	}
	return b.String()
}

func TestFind(t *testing.T) {
	for _, kind := range []string{"ascii", "utf-8", "latin", "quoted-printable", "base64", "html"} {
		needles := []Needle{NewNeedle("palais", true), NewNeedle("Mensah <KOSSI", false), NewNeedle("mensah <kossi", true), NewNeedle("", true),
			NewNeedle("ELECTIONS legislatives", true), NewNeedle("no such text", false)}
		want := []bool{true, true, false, true, kind != "ascii", false}
		var f Finder
		for range 2 {
			for i, got := range f.Find(sample(kind), needles) {
				if got != want[i] {
					t.Errorf("%s: needle %d: %v", kind, i, got)
				}
			}
		}
	}
}

func BenchmarkFind(b *testing.B) {
	needles := []Needle{NewNeedle("introuvable", false)}
	for _, kind := range []string{"ascii", "utf-8", "latin", "quoted-printable", "base64", "html"} {
		raw := sample(kind)
		b.Run(kind, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			var f Finder
			for b.Loop() {
				f.Find(raw, needles)
			}
		})
	}
}
