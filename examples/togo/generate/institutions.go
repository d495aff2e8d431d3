package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// institution is a row of ministries.csv with the entities under it.
type institution struct {
	slug, name, domain string
	users, wave        int
	entities           []entity
	sites              []site
}

// site is a building: its number in sites.csv, from 1, and how many agents sit there.
type site struct{ number, users int }

type entity struct {
	slug, name string
	services   []service
}

type service struct{ slug, name string }

// services are names for the services of an entity, of which the data gives the number only.
var services = []service{
	{"direction", "Direction générale"}, {"finances", "Administration et finances"},
	{"personnel", "Ressources humaines"}, {"informatique", "Systèmes d'information"},
	{"juridique", "Affaires juridiques"}, {"exploitation", "Exploitation"},
	{"marches", "Marchés publics"}, {"etudes", "Études et planification"}, {"clientele", "Relations avec les usagers"},
}

func readInstitutions(dir string) ([]institution, error) {
	rows, err := readCSV(filepath.Join(dir, "ministries.csv"), "slug", "name_fr", "domain", "users", "wave", "sites")
	if err != nil {
		return nil, err
	}
	bodies, err := readCSV(filepath.Join(dir, "energie-entities.csv"), "ministry", "entity", "name_fr", "services")
	if err != nil {
		return nil, err
	}
	sites, err := readCSV(filepath.Join(dir, "sites.csv"), "id", "ministry", "kind", "city", "users", "uplink_mbps")
	if err != nil {
		return nil, err
	}
	var out []institution
	for _, row := range rows {
		users, err := strconv.Atoi(row[3])
		if err != nil {
			return nil, fmt.Errorf("users of %s: %w", row[0], err)
		}
		wave, err := strconv.Atoi(row[4])
		if err != nil {
			return nil, fmt.Errorf("wave of %s: %w", row[0], err)
		}
		i := institution{slug: row[0], name: row[1], domain: row[2], users: users, wave: wave}
		for _, body := range bodies {
			if body[0] != i.slug {
				continue
			}
			n, err := strconv.Atoi(body[3])
			if err != nil || n < 0 || n > len(services) {
				return nil, fmt.Errorf("services of %s: found %q; accepted are 0 to %d", body[1], body[3], len(services))
			}
			i.entities = append(i.entities, entity{body[1], body[2], services[:n]})
		}
		for n, row := range sites {
			if row[1] != i.slug {
				continue
			}
			users, err := strconv.Atoi(row[4])
			if err != nil {
				return nil, fmt.Errorf("users of site %s: %w", row[0], err)
			}
			i.sites = append(i.sites, site{n + 1, users})
		}
		out = append(out, i)
	}
	return out, nil
}

func readCSV(path string, header ...string) ([][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the data: %w", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if len(rows) == 0 || fmt.Sprint(rows[0]) != fmt.Sprint(header) {
		return nil, fmt.Errorf("cannot read %s: its header is not %v", path, header)
	}
	return rows[1:], nil
}

// size and storage by the number of agents.
func (i institution) size() (size, storage string) {
	switch {
	case i.users < 1000:
		return "Small", "50Gi"
	case i.users < 5000:
		return "Medium", "200Gi"
	default:
		return "Large", "1Ti"
	}
}
