package config

import (
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// menu is a file of its own kind.
type menu struct {
	Place  string             `yaml:"-"`
	Name   string             `yaml:"name"`
	Guests uint64             `yaml:"guests"`
	Tip    float64            `yaml:"tip"`
	Opens  time.Duration      `yaml:"opens"`
	Prices map[string]float64 `yaml:"prices"`
	Dishes []dish             `yaml:"dishes"`
}

type dish struct {
	Name string   `yaml:"name"`
	Hot  bool     `yaml:"hot"`
	Of   []string `yaml:"of"`
}

func (m *menu) Validate() error {
	for i, d := range m.Dishes {
		if d.Name == "stone" {
			return fmt.Errorf("dishes[%d].name: is hard: want soup", i)
		}
		if d.Hot && m.Opens == 0 {
			return fmt.Errorf("dishes[%d].served_from: is missing", i)
		}
	}
	if m.Guests > 0 && len(m.Dishes) == 0 {
		return errors.New("nothing is on the table")
	}
	return nil
}

func menus() *Form[menu] {
	return NewForm[menu](map[string]Rule{
		"menu.name":   {Required: true, Pattern: regexp.MustCompile("^[a-z]+$"), Want: "letters"},
		"menu.guests": {Most: 10},
		"menu.tip":    {Least: 1, Most: 2},
		"menu.opens":  {Most: int64(12 * time.Hour)},
		"menu.prices": {OneOf: []string{"soup", "bread"}, Most: 100},
		"dish.name":   {Required: true},
		"dish.of":     {OneOf: []string{"water", "salt"}},
	}, dish{Hot: true})
}

func TestForm(t *testing.T) {
	got := menu{Place: "here", Tip: 1.5}
	err := menus().Decode("menu.yaml", `
name: inn
guests: 1_0
opens: 1h30m
prices: {soup: 4, bread: 1.25}
dishes:
  - name: soup
    of: [water, salt]
  - {name: bread, hot: false}
`, &got)
	if err != nil {
		t.Fatal(err)
	}
	want := menu{
		Place: "here", Name: "inn", Guests: 10, Tip: 1.5, Opens: 90 * time.Minute, Prices: map[string]float64{"soup": 4, "bread": 1.25},
		Dishes: []dish{{Name: "soup", Hot: true, Of: []string{"water", "salt"}}, {Name: "bread"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestFormRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"syntax", "name: [", `menu.yaml:1:7: is no YAML`},
		{"unknown key", "name: a\nplace: b", `menu.yaml:2: place: is no key here: want one of name, guests, tip, opens, prices, dishes`},
		{"missing", "guests: 1", `menu.yaml:1: name: is missing: want letters`},
		{"missing in a list", "name: a\ndishes:\n  - hot: true", `menu.yaml:3: dishes[0].name: is missing: want a text`},
		{"pattern", "name: A1", `menu.yaml:1: name: "A1" does not fit: want letters`},
		{"whole number", "name: a\nguests: 1.5", `menu.yaml:2: guests: "1.5" is no whole number`},
		{"number too big", "name: a\nguests: 11", `menu.yaml:2: guests: "11" is out of bounds: want a number from 0 to 10`},
		{"number below zero", "name: a\nguests: -1", `menu.yaml:2: guests: "-1" is out of bounds: want a number from 0 to 10`},
		{"no number", "name: a\ntip: much", `menu.yaml:2: tip: "much" is no number`},
		{"number as text", "name: a\ntip: \"1.5\"", `menu.yaml:2: tip: "1.5" is no number`},
		{"fraction too small", "name: a\ntip: 0.5", `menu.yaml:2: tip: "0.5" is out of bounds: want a number from 1 to 2`},
		{"infinite", "name: a\ntip: .inf", `menu.yaml:2: tip: ".inf" is no number`},
		{"time too long", "name: a\nopens: 13h", `menu.yaml:2: opens: "13h" is out of bounds: want a time from 0s to 12h`},
		{"map of text", "name: a\nprices: 5", `menu.yaml:2: prices: is a number: want keys with values`},
		{"key of a map", "name: a\nprices: {stew: 5}", `menu.yaml:2: prices.stew: is no key here: want one of soup, bread`},
		{"key of a map twice", "name: a\nprices:\n  soup: 5\n  soup: 6", `menu.yaml:4: prices.soup: stands twice`},
		{"value of a map", "name: a\nprices:\n  soup: 101", `menu.yaml:3: prices.soup: "101" is out of bounds: want a number from 0 to 100`},
		{"no value of a map", "name: a\nprices: {soup: }", `menu.yaml:2: prices.soup: has no value: want a number from 0 to 100`},
		{"list of choices", "name: a\ndishes: [{name: b, of: [flour]}]", `menu.yaml:2: dishes[0].of[0]: "flour" is unknown: want water, salt`},
		{"by the whole", "name: a\ndishes:\n  - name: soup\n    hot: false\n  - name: stone\n", `menu.yaml:5: dishes[1].name: is hard: want soup`},
		{"by the whole, of what is absent", "name: a\ndishes:\n  - name: soup\n", `menu.yaml:3: dishes[0].served_from: is missing`},
		{"by the whole, of no key", "\nname: a\nguests: 1\n", `menu.yaml:2: nothing is on the table`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := menus().Decode("menu.yaml", tt.text, new(menu))
			if _, ok := errors.AsType[*Problem](err); !ok {
				t.Fatalf("got error %v, want a Problem", err)
			}
			if got := err.Error(); len(got) < len(tt.want) || got[:len(tt.want)] != tt.want {
				t.Errorf("\ngot  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestFormRead(t *testing.T) {
	dir := write(t, map[string]string{"menu.yaml": "name: inn\n", "bad.yaml": "name: \"\xff\"\n"})
	var m menu
	if err := menus().Read(dir+"/menu.yaml", &m); err != nil || m.Name != "inn" {
		t.Errorf("got %+v and error %v, want the inn", m, err)
	}
	for name, want := range map[string]string{
		"none.yaml": "/none.yaml: cannot be read: no such file or directory",
		"bad.yaml":  "/bad.yaml: is no YAML: it is not in UTF-8",
	} {
		if err := menus().Read(dir+"/"+name, &m); err == nil || err.Error() != dir+want {
			t.Errorf("got error %v, want %s", err, dir+want)
		}
	}
}
