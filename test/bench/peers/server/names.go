package server

import (
	"bytes"
	"net"
)

// serveNames answers every question for a name at once with "no such name" (RFC 1035, 4.1), but for one domain, which has an address
// and from which every address may send (RFC 7208). mox asks for each message, and must not wait for a network that is not there.
func serveNames(host, sender string) (net.PacketConn, error) {
	conn, err := net.ListenPacket("udp", net.JoinHostPort(host, "53"))
	if err != nil {
		return nil, err
	}
	go func() {
		query := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(query)
			if err != nil {
				return
			}
			if reply := answer(query[:n], sender); reply != nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	}()
	return conn, nil
}

const (
	header    = 12
	typeA     = 1
	typeTXT   = 16
	noName    = 3
	spfRecord = "v=spf1 +all"
)

// answer makes the reply to a query of one question; nil to anything else.
func answer(query []byte, sender string) []byte {
	if len(query) < header || query[4] != 0 || query[5] != 1 {
		return nil
	}
	var name []byte
	end := header
	for end < len(query) && query[end] != 0 && end+1+int(query[end]) < len(query) {
		name = append(append(name, query[end+1:end+1+int(query[end])]...), '.')
		end += 1 + int(query[end])
	}
	if end+5 > len(query) || query[end] != 0 {
		return nil
	}
	kind := int(query[end+1])<<8 | int(query[end+2])
	reply := bytes.Clone(query[:end+5])
	reply[2], reply[3] = 0x84|query[2]&1, 0x80 // an answer with authority, to who may ask on
	clear(reply[6:header])
	if !bytes.EqualFold(name, []byte(sender+".")) {
		reply[3] |= noName
		return reply
	}
	var data []byte
	switch kind {
	case typeA:
		data = []byte{127, 0, 0, 1}
	case typeTXT:
		data = append([]byte{byte(len(spfRecord))}, spfRecord...)
	default:
		return reply
	}
	reply[7] = 1
	reply = append(reply, 0xc0, header, 0, byte(kind), 0, 1, 0, 0, 0x0e, 0x10, 0, byte(len(data))) // for an hour
	return append(reply, data...)
}
