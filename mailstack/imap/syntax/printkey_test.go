package syntax

import (
	"fmt"
	"strings"
)

// key writes a search key.
func (p printer) key(key SearchKey) {
	switch k := key.(type) {
	case And:
		if len(k) == 0 {
			p.Raw("ALL")
		} else {
			p.list(len(k), func(i int) { p.key(k[i]) })
		}
	case Or:
		for i, each := range k {
			if i < len(k)-1 {
				p.Raw("OR ")
			}
			p.key(each)
			if i < len(k)-1 {
				p.SP()
			}
		}
	case Not:
		p.Raw("NOT ")
		p.key(k.Key)
	case Fuzzy:
		p.Raw("FUZZY ")
		p.key(k.Key)
	case SeqNums:
		p.SeqSet(k.Set)
	case UIDs:
		p.Raw("UID ")
		p.UIDSet(k.Set)
	case Saved:
		p.Raw("$")
	case HasFlag:
		if name, system := strings.CutPrefix(string(k.Flag), `\`); system {
			p.Raw(name)
		} else {
			p.Raw("KEYWORD " + string(k.Flag))
		}
	case Recent:
		p.Raw("RECENT")
	case Date:
		p.Raw([]string{"", "SENT", "SAVED"}[k.Of] + []string{"BEFORE", "ON", "SINCE"}[k.When] + k.Day.Format(" 2-Jan-2006"))
	case SaveDateSupported:
		p.Raw("SAVEDATESUPPORTED")
	case Age:
		p.Raw(fmt.Sprintf("%s %d", map[bool]string{true: "OLDER", false: "YOUNGER"}[k.Older], k.Seconds))
	case Size:
		p.Raw(fmt.Sprintf("%s %d", map[bool]string{true: "LARGER", false: "SMALLER"}[k.Larger], k.Octets))
	case Header:
		if k.Envelope {
			p.Raw(k.Name + " ")
		} else {
			p.Raw("HEADER ")
			p.str(k.Name)
			p.SP()
		}
		p.str(k.Value)
	case Body:
		p.Raw("BODY ")
		p.str(k.Value)
	case Text:
		p.Raw("TEXT ")
		p.str(k.Value)
	case ModSeq:
		p.Raw("MODSEQ ")
		if k.Type != "" {
			p.Raw(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(k.Entry) + `" ` + k.Type + " ")
		}
		p.Number(k.Since)
	case EmailID:
		p.Raw("EMAILID ")
		p.str(k.ID)
	case ThreadID:
		p.Raw("THREADID ")
		p.str(k.ID)
	default:
		panic(fmt.Sprintf("%T cannot be printed", key))
	}
}
