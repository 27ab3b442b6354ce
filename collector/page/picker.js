// A filter by one name: a button that opens a list of checkboxes with a search field.
import { h, icon, put } from './dom.js';
import { formatCount } from './format.js';

const SHOWN_MAX = 200;

export class Picker {
  #onChange;
  #chosen = [];
  #counts = new Map();
  #truncated = false;

  // label: {one: 'Origin', many: 'origins'}
  constructor(name, label, onChange) {
    this.name = name;
    this.label = label;
    this.#onChange = onChange;
    const id = `pick-${name}`;
    this.button = h('button', { type: 'button', class: 'picker', 'aria-expanded': 'false',
      'aria-controls': id, onclick: () => this.#toggle() });
    this.search = h('input', { type: 'search', autocomplete: 'off', spellcheck: 'false',
      placeholder: `Find ${label.many}`, 'aria-label': `Find ${label.many}`,
      oninput: () => this.#list(), onkeydown: (event) => this.#searchKey(event) });
    this.list = h('div', { class: 'choices', role: 'group', 'aria-label': label.many });
    this.panel = h('div', { class: 'panel', id, hidden: true }, this.search, this.list);
    this.root = h('div', { class: 'pick', onkeydown: (event) => this.#key(event),
      onfocusout: (event) => this.#left(event) }, this.button, this.panel);
    this.#label();
  }

  // counts: Map of name -> events.
  offer(counts, truncated) {
    this.#counts = counts;
    this.#truncated = truncated;
    if (!this.panel.hidden) this.#list();
  }

  choose(names) {
    this.#chosen = names;
    this.#label();
    if (!this.panel.hidden) this.#list();
  }

  #label() {
    const chosen = this.#chosen;
    const what = chosen.length === 0 ? 'any' : chosen.length === 1 ? chosen[0]
      : `${chosen.length} ${this.label.many}`;
    this.button.title = chosen.join(', ');
    this.button.classList.toggle('set', chosen.length > 0);
    put(this.button, h('span', { class: 'what' }, this.label.one), ' ',
      h('span', { class: 'value' }, what), icon('down'));
  }

  #toggle(open = this.panel.hidden) {
    this.panel.hidden = !open;
    this.button.setAttribute('aria-expanded', `${open}`);
    if (!open) return;
    this.search.value = '';
    this.#list();
    // Near the right edge it opens to the left.
    this.panel.classList.toggle('right', this.root.getBoundingClientRect().left + 290 > innerWidth);
    this.search.focus();
  }

  #list() {
    const wanted = this.search.value.trim();
    const names = [...new Set([...this.#chosen, ...this.#counts.keys()])]
      .filter((name) => name.toLowerCase().includes(wanted.toLowerCase()))
      .sort((a, b) => this.#chosen.includes(b) - this.#chosen.includes(a) ||
        a.localeCompare(b, undefined, { numeric: true }));
    const focused = document.activeElement?.value;
    put(this.list, names.slice(0, SHOWN_MAX).map((name) => this.#choice(name)),
      this.#note(wanted, names));
    const again = this.list.contains(document.activeElement) ? null
      : [...this.list.querySelectorAll('input')].find((input) => input.value === focused);
    if (document.activeElement === document.body) again?.focus();
  }

  #choice(name) {
    const count = this.#counts.get(name);
    return h('label', {},
      h('input', { type: 'checkbox', value: name, checked: this.#chosen.includes(name),
        onchange: (event) => this.#set(name, event.target.checked) }),
      h('span', { class: 'name', title: name }, name),
      h('span', { class: 'count' }, count === undefined ? '' : formatCount(count)));
  }

  #note(wanted, names) {
    if (wanted !== '' && !names.includes(wanted) && (this.#truncated || names.length === 0)) {
      return h('button', { type: 'button', class: 'link', onclick: () => this.#set(wanted, true) },
        `Use “${wanted}”, exactly so`);
    }
    if (names.length === 0) return h('p', {}, `No ${this.label.many} yet.`);
    if (names.length > SHOWN_MAX || this.#truncated) {
      return h('p', {}, 'There are more: type a part of a name, or a whole one.');
    }
    return null;
  }

  #set(name, on) {
    const others = this.#chosen.filter((other) => other !== name);
    this.#onChange(this.name, on ? [...others, name] : others);
  }

  #searchKey(event) {
    const first = this.list.querySelector('input, button');
    if (event.key !== 'Enter' || first === null) return;
    event.preventDefault();
    first.click();
  }

  #key(event) {
    if (event.key === 'Escape' && !this.panel.hidden) {
      this.#toggle(false);
      this.button.focus();
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    if (this.panel.hidden) {
      this.#toggle(true);
      return;
    }
    const stops = [this.search, ...this.list.querySelectorAll('input, button')];
    const at = stops.indexOf(document.activeElement) + step;
    stops[Math.max(0, Math.min(at, stops.length - 1))].focus();
  }

  // Focus or a click elsewhere closes it.
  #left(event) {
    if (event.relatedTarget !== null && !this.root.contains(event.relatedTarget)) {
      this.#toggle(false);
    }
  }

  closeUnless(target) {
    if (!this.root.contains(target)) this.#toggle(false);
  }
}
