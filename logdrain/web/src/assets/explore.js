// Names of metrics while somebody types. Without it the field is a form that finds the same.
const field = document.querySelector("#names");
const list = document.createElement("ul");
let asked = 0, timer = 0, at = -1;

const items = () => [...list.querySelectorAll("li:not([aria-disabled])")];

function choose(index) {
    const all = items();
    at = all.length ? (index + all.length) % all.length : -1;
    all.forEach((item, nth) => item.setAttribute("aria-selected", String(nth === at)));
    if (at < 0) { field.removeAttribute("aria-activedescendant"); return; }
    field.setAttribute("aria-activedescendant", all[at].id);
    all[at].scrollIntoView({ block: "nearest" });
}

function close() {
    list.hidden = true;
    at = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
}

function go(name) {
    const page = new URL(`${field.dataset.page}/${encodeURIComponent(name)}`, location.href);
    const account = new URLSearchParams(location.search).get("account");
    if (account) page.searchParams.set("account", account);
    location.assign(page);
}

function show(names, more) {
    list.replaceChildren(...names.map((name, nth) => {
        const item = document.createElement("li");
        item.id = `name-${nth}`;
        item.setAttribute("role", "option");
        item.textContent = name;
        item.addEventListener("mousedown", (event) => { event.preventDefault(); go(name); });
        return item;
    }));
    if (!names.length || more) {
        const rest = document.createElement("li");
        rest.setAttribute("aria-disabled", "true");
        rest.textContent = names.length ? `and ${more} more` : "no metric fits";
        list.append(rest);
    }
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    choose(names.length && field.value ? 0 : -1);
}

async function ask() {
    const mine = ++asked;
    const address = new URL(field.dataset.names, location.href);
    address.searchParams.set("q", field.value);
    address.searchParams.set("limit", "20");
    try {
        const answer = await fetch(address, { headers: { accept: "application/json" } });
        const found = answer.ok ? await answer.json() : null;
        // A later question has the word.
        if (found && mine === asked && document.activeElement === field) show(found.metrics, found.more_metrics);
    } catch { close(); }
}

if (field) {
    list.id = "found";
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Metrics that fit");
    field.form.append(list);
    for (const [name, value] of [["role", "combobox"], ["aria-controls", "found"], ["aria-autocomplete", "list"], ["aria-expanded", "false"]]) field.setAttribute(name, value);
    field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 120); });
    field.addEventListener("blur", close);
    field.addEventListener("keydown", (event) => {
        const open = !list.hidden;
        if (event.key === "ArrowDown" && !open) ask();
        else if (event.key === "ArrowDown" && open) choose(at + 1);
        else if (event.key === "ArrowUp" && open) choose(at - 1);
        else if (event.key === "Escape" && open) close();
        else if (event.key === "Enter" && open && at >= 0) go(items()[at].textContent);
        else return;
        event.preventDefault();
    });
}
