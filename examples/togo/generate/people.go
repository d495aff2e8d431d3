package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Common first and last names of Togo, which say nothing about anybody when they are put together at random.
var (
	firstNames = strings.Fields(`Abalo Abla Abra Adjo Adjoa Adzo Afi Afiwa Akoua Akossiwa Akouvi Ama Amavi Aminata Amivi
		Assibi Awa Ayao Ayawa Badanam Bawoubadi Bidénam Dédé Dela Délali Dodji Edem Efua Elom Essi Essivi Essohanam Essowè
		Fati Fousséni Gado Hodabalo Ibrahim Issifou Kafui Kodjo Kodzo Koffi Kokou Komi Komlan Kossi Kossiwa Koudjo Kouma
		Kwami Kwassi Latif Lalle Mawuena Mawuli Mawusi Mazalo Mensan Moussa Naka Nadège Pascaline Pyabalo Rachidatou
		Safiatou Saïbou Sélom Sena Sénam Sitou Tchilalo Tchaa Tétou Yao Yaovi Yawa Yawavi Yendoubé Yoma Zénabou`)
	lastNames = strings.Fields(`Abotchi Adjavon Adjei Adom Afanou Agbeko Agbenou Agbodjan Agbogan Agossou Ahadji Akakpo Akpaki
		Alassani Alfa Alognon Amavi Amegan Amegavi Amouzou Anani Apedo Assih Assogba Atayi Atsou Attiogbé Awesso Ayité Azanlé
		Bakaï Bassabi Batchassi Bawa Bilante Bodo Dadzie Damessi Djagba Djato Djossou Dogbé Dossou Douti Edoh Ekoué Fiagan
		Fofana Folly Gagnon Gbadamassi Gbeassor Gbedema Gnandi Hounkpati Issa Kangni Kao Kassegne Katanga Kéké Klutsé Kolani
		Komla Koutonin Kpodo Kpomassi Lamboni Lare Lawson Loko Mensah Minza Nador Nambou Napo Ouro Padaro Pali Sambiani Sanvee
		Segbedji Sossou Tagba Takassi Tchalla Tchassanti Tchedre Tossou Yovo Zankou`)
)

// plain writes a name as it stands in an address.
var plain = strings.NewReplacer("é", "e", "è", "e", "ï", "i", "É", "e", "'", "")

// people makes up agents whose addresses are all different.
type people struct {
	random *rand.Rand
	taken  map[string]int
}

func newPeople(seed uint64) *people {
	return &people{random: rand.New(rand.NewPCG(seed, 0x746f676f)), taken: map[string]int{}}
}

type person struct{ address, name string }

func (p *people) next(domain string) person {
	first := firstNames[p.random.IntN(len(firstNames))]
	last := lastNames[p.random.IntN(len(lastNames))]
	local := strings.ToLower(plain.Replace(first) + "." + plain.Replace(last))
	p.taken[local]++
	if n := p.taken[local]; n > 1 {
		local = fmt.Sprintf("%s%d", local, n)
	}
	return person{local + "@" + domain, first + " " + last}
}

// secrets derives passwords from one secret: 100 bits for each address.
type secrets struct{ key []byte }

func (s secrets) password(address string) string {
	text := strings.ToLower(base32.StdEncoding.EncodeToString(s.derive("password", address)))
	return text[:5] + "-" + text[5:10] + "-" + text[10:15] + "-" + text[15:20]
}

// hash is {SSHA512}: quick to make for 70,000 agents and safe for passwords of 100 bits; the cell replaces it by argon2id
// at the first login.
func (s secrets) hash(address string) string {
	salt := s.derive("salt", address)[:16]
	sum := sha512.Sum512(append([]byte(s.password(address)), salt...))
	return "{SSHA512}" + base64.StdEncoding.EncodeToString(append(sum[:], salt...))
}

func (s secrets) derive(purpose, address string) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(purpose + "\x00" + address))
	return mac.Sum(nil)
}
