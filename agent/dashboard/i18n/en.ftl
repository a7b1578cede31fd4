# What the pages say, in English. Keys and their variables are the same in every language; a test sees to it.

## The frame
page-welcome = Welcome
page-seats = Seats
page-along = Take along
page-machines = Machines
page-licenses = Licenses
page-organisation = Organisation
page-usage = Usage
page-site = Site
pages = Pages
skip = Skip to the content
menu = Menu
language = Language
theme = { $theme ->
    [light] Theme: light
    [dark] Theme: dark
   *[auto] Theme: as the system
  }
this-is = on { $name }
loading = Loading…
lost-title = The agent on this machine does not answer.
lost-text = What you see is { $since } old. The page goes on by itself as soon as the agent is back.
agent-lost = The agent on this machine does not answer; try again when it is back.
health-count = { $count ->
    [one] one thing wants attention
   *[other] { $count } things want attention
  }
machines-waiting-count = { $count ->
    [one] one machine waits
   *[other] { $count } machines wait
  }

## Words
unknown = unknown
yes = yes
no = no
ok = covered
any = any
nobody = nobody at the moment
close = Close
cancel = Cancel
save = Save
saved = Saved.
copy = Copy
copied = Copied.
copy-failed = The browser does not let this page copy; select the text instead.
remove = Remove
removed = Removed.
remove-name = Remove { $name }
details-of = Details of { $name }
settings = Settings
settings-of = Settings of { $name }
actions = Actions
working = Working…
show-all = Show all
export = Export
nothing-found = Nothing found
nothing-found-text = Nothing here fits what you look for.
go-to = { $page }
go-on = Go on
and-more = { $names } and { $count } more

## Times
yesterday = yesterday
tomorrow = tomorrow
yesterday-at = yesterday { $clock }
tomorrow-at = tomorrow { $clock }
less-than-a-minute = less than a minute
minutes = { $minutes } min
hours = { $hours } h
hours-minutes = { $hours } h { $minutes } min
days = { $days ->
    [one] { $days } day
   *[other] { $days } days
  }

## Who is here
look-only = Looking only
look-only-why = This page does not know who you are, so it changes nothing.
how-to-open = How to do more
open-title = Let the page know who you are
open-why = A page in a browser cannot prove who clicks. Open it from a terminal, or from the start menu, as yourself:
open-then = It opens this page again, in your name. Then you can take seats along, give them back and ask for idle ones; admins can sign in.
open-hint = To change something here, open this page in your name.
admin-hint = To change something here, sign in with your admin key.
reader-hint = Your key may look at everything, and change nothing.
sign-in = Sign in as admin
sign-in-why = Your key stays sealed in its file. The agent opens it with your password and forgets it after 15 minutes.
sign-out = Sign out
signed-in = Welcome, { $name }.
admin-is = { $role ->
    [reader] { $name }, may look
   *[admin] { $name }, admin
  }
minutes-left = { $minutes } min left
seconds-left = { $seconds } s left
admin-over = The 15 minutes are over. Sign in again to go on.
drop-key = Drop your key file here
drop-key-hint = or choose it: the file that was made with your admin name
drop-key-first = Choose your key file first.
key-remembered = The key that is remembered here
another-key = Another one
remember-key = Remember the key file in this browser
remember-key-hint = It stays sealed: without the password it is of no use to anybody.
password = Password
password-again = The same password again
passwords-differ = The two passwords are not the same.

## Problems that always say the same
problem-no-session = This page is open for looking only; open it again with “seatkeeper open”.
problem-csrf = This page is too old; load it again.
problem-sign-in = Sign in with your admin key first.
problem-wrong-password = This password does not open that key.
problem-slow-down = Too many wrong passwords; try again in { $seconds } s.

## Seats
seats-lead = Who works with what, right now.
products = Products
tally-use = in use
tally-out = out of the house
tally-free = { $count ->
    [one] free
   *[other] free
  }
tally-wait = { $count ->
    [one] waits
   *[other] wait
  }
in-use = In use
out-of-house = Out of the house
along-here = Along, still here
free = Free
waiting = Waiting
too-many = Too many
owned = Bought
used-of = { $used } of { $owned }
all-products = Show all { $count } products
bar-label = { $owned } seats: { $use } in use, { $out } out of the house, { $free } free; waiting: { $waiting }
queue = Waiting for a seat
place = Place
place-in-queue = { $place ->
    [1] next
   *[other] number { $place }
  }
passed-over = out of reach
passed-over-why = The machine is out of reach: others go first until it is back.
seats-taken = { $count ->
    [0] Nobody has a seat
    [one] One seat is taken
   *[other] { $count } seats are taken
  }
filter = Person, machine, product…
shown-of = { $shown } of { $all }
who = Who
you = you
product = Product
machine = Machine
state = State
since = Since
idle = Idle
active = active
kind-online = in use
kind-borrowed = out of the house
kind-parked = parked
kind-grace = grace
borrowed-until = along until { $ends }
asked = asked for
asked-since = Somebody who waits has asked for it since { $since }.
nobody-works = All seats are free
nobody-works-text = As soon as somebody starts a program that needs a seat, it is here.
release = Release
release-title = Take the seat away from { $user }?
release-text = { $user } loses the seat of { $product } on { $machine } at once; the program is told to stop and unsaved work may be lost. Somebody else can have the seat then.
release-borrowed-text = { $user } has taken this seat of { $product } along on { $machine }. If that machine is out of reach it goes on with it until the agreed day, and so the seat stays taken until then.
released = The seat of { $user } is released.
ask-for-it = Ask for it
ask-title = Ask { $user } for the seat
ask-text = It has been idle for { $idle }. { $user } reads your message and decides; nothing is taken away.
message = Message
message-example = For an hour, please
asked-done = { $user } has been asked.

## Take along
along-lead = Take a seat along on { $machine } and work anywhere, without a network, until the day you choose.
along-open = Take a seat along
along-open-text = A seat that leaves the house carries a name. Open this page in yours to take one.
taken-along = On this machine
time-left = { $left } left
until = until { $ends }
renews = Prolonged to { $span } whenever the office is in reach.
programs-use-it = { $count ->
    [one] One program uses it now.
   *[other] { $count } programs use it now.
  }
extend = Extend
extend-title = Extend { $product }
extend-text = It ends { $ends } now. Until when do you need it?
extended = Extended.
give-back = Give back
give-back-title = Give { $product } back?
give-back-running = { $count ->
    [one] A program uses this seat and loses it.
   *[other] { $count } programs use this seat and lose it.
  }
given-back = Given back. Thank you.
returning = { $count ->
    [one] One seat is given back as soon as the office is in reach.
   *[other] { $count } seats are given back as soon as the office is in reach.
  }
take-one = Take a seat along
what = What
until-when = Until when
free-and-days = { $free } free, { $days ->
    [one] for { $days } day at most
   *[other] for { $days } days at most
  }
month-before = The month before
month-after = The month after
choose-a-day = Choose a day first.
renew = Prolong it by itself
renew-hint = Whenever this machine sees the office, the seat is good for as long again.
take-along-until = Take { $product } along until { $day }
borrowed-done = { $product } is yours until { $day }. You can go.
none-free-to-borrow = All seats are taken at the moment.
nothing-to-borrow = Nothing can be taken along
nothing-to-borrow-text = No license here lets its seats leave the house. Licenses that do say so with “borrow”.

## Machines
machines-lead = Every machine of the site; some of them keep the books, so that none has to be the server.
machines-online = { $online } of { $all } online
machines-waiting = Asking to join
compare-fingerprint = Compare this with what the machine itself shows:
fingerprint = Fingerprint
filter-machines = Name, address, role…
name = Name
online = Online
offline = offline
seen = seen { $when }
last-seen = Last seen
role = Role
role-holder = hands out seats
role-voter = votes
role-standby = stands by
role-spare = takes part
role-revoked = shut out
role-waiting = waits
role-none = on its own
role-why-holder = Elected by the others. If it goes, another one takes over within a second.
role-why-voter = Keeps the books and elects who hands out seats.
role-why-standby = Keeps a copy of the books, ready to vote when a voter is gone for good.
role-why-spare = Takes and gives back seats; keeps no books.
role-why-revoked = Shut out of the site for good.
address = Address
seats = Seats
clock = Clock
clock-right = right
version = Version
form = Form
form-desktop = Desktop
form-laptop = Laptop
always-on = Always on
always-on-hint = It is preferred when voters are chosen.
seats-and-borrowed = { $seats } in use, { $borrowed } taken along
borrowed-count = { $count } along
this-machine = this machine
shut-out = shut out
lost-word = lost
lost-since = Reported as lost: { $since }
only-one-machine = Only this machine belongs to the site yet. Invite two more, and no single one can stop the work.
admit = Admit
admit-title = Admit { $name }?
admit-text = It may then take seats and, if need be, keep the books. Compare the fingerprint with what that machine shows, over the phone if it is elsewhere.
admitted = { $name } belongs to the site.
report-lost = Report as lost
lost-dialog-title = Report { $name } as lost?
lost-dialog-text = It gets no seats from now on. { $borrowed ->
    [0] It has none along.
    [one] The seat that it has along comes back when its time is over, or at once if the license says so.
   *[other] The { $borrowed } seats that it has along come back when their time is over, or at once if the license says so.
  }
found-again = Found again
found-title = Is { $name } found again?
found-text = It may take seats again, as before.
revoke = Revoke
revoke-title = Shut { $name } out for good?
revoke-text = It can never come back under this identity. { $seats ->
    [0] It uses no seats.
    [one] One seat that it uses ends.
   *[other] { $seats } seats that it uses end.
  }
revoke-code-hint = It has the key that signs tickets. With the recovery code that key is replaced at once.
revoked = { $name } is shut out.
recovery-code = Recovery code
invite = Invite a machine
invite-title = Invite machines
invite-text = Who has the code may join without asking. Hand it on like a key.
invite-uses = For how many machines
invite-lasts = Good for
invite-make = Make a code
invite-done = The code
invite-done-text = { $uses ->
    [one] For one machine, until { $ends }.
   *[other] For { $uses } machines, until { $ends }.
  }
invite-cli = Enter it on the other machine's Welcome page, or in a terminal:

## Welcome
welcome-title = Welcome to Seatkeeper
welcome-lead = { $machine } belongs to no site yet. A site is the machines of one office that share their licenses.
welcome-open = To set this machine up, open this page in your name.
not-manager = { $user } may not set this machine up; do it as its administrator, or as a member of the group “seatkeeper”.
found-site = Found “{ $name }”
found-site-text = It is in this network. An admin there admits this machine after comparing its fingerprint. { $address }
ask-to-join = Ask to join
looking = Looking around…
looking-text = Sites in this network appear here by themselves.
have-code = I have a code
have-code-text = An admin of the site has made an invitation for this machine.
enter-code = Enter the code
enter-code-text = Paste the whole code, as the admin gave it to you.
invitation-code = Invitation
join = Join
joined = This machine belongs to the site.
create-site = Create a site
create-site-text = For the first machine of an office. The others join it.
site-name = Name of the site
site-name-example = Office
admin-name = Name of the admin
admin-name-hint = Whoever loads licenses and admits machines. More can be added later.
password-hint = It seals the admin's key file. At least 8 characters.
keep-these = Keep these two safe
keep-code = The recovery code
keep-code-text = It is shown this once. Whoever has it can restore the site; without it nobody can. Write it on paper.
kept-code = I have it on paper
keep-key = The admin's key file
keep-key-text = Signing in takes this file and its password.
download-key = Download the key file
waiting-title = Waiting to be admitted
waiting-text = An admin finds this machine under Machines on any page of the site. Compare the fingerprint:
wait-no-more = Wait no more

## Licenses
licenses-lead = What was bought, and until when.
no-licenses = No licenses yet
no-licenses-text = An admin loads the license file that the vendor has sent, once, on any machine.
no-licenses-admin = Trust the vendor's key first, below; then drop the license file above.
to-licenses = Go to licenses
drop-license = Drop a license file here
drop-license-hint = or choose it. It is loaded once, for all machines.
license-added = { $name } is loaded.
license-id = License
license-state-active = active
license-state-future = not begun
license-state-ended = ended
license-state-replaced = replaced
license-state-removed = removed
ends-in = { $days ->
    [0] ends today
    [one] ends in { $days } day
   *[other] ends in { $days } days
  }
seats-word = { $count ->
    [one] seat
   *[other] seats
  }
valid = Valid
valid-from = from { $from }, for ever
valid-to = to { $to }
valid-from-to = { $from } to { $to }
valid-until = Valid until
for-ever = for ever
features = Features
earlier-versions = Earlier versions
take-along = Take along
not-allowed = not allowed
up-to-days = { $days ->
    [one] up to { $days } day
   *[other] up to { $days } days
  }
vendor = Vendor
show-text = Show the file
show-old = { $count ->
    [one] Show one old license
   *[other] Show { $count } old licenses
  }
hide-old = Hide old licenses
remove-license-title = Remove { $title }?
remove-license-text = Its { $seats ->
    [one] seat is
   *[other] { $seats } seats are
  } no longer handed out; who runs on license { $id } keeps running until the program ends.
trusted-vendors = Trusted vendors
no-vendors = No vendor is trusted yet: a license is believed only if a trusted vendor signed it.
trust-vendor = Trust a vendor
trust-text = Ask the vendor for the key on a way that you trust: whoever has the other half can sign licenses for the products that you name.
trust = Trust
drop-vendor = Drop the vendor's public key here
drop-vendor-hint = or choose the file, or paste the key below
vendor-name = Name
vendor-trusted = The vendor is trusted.
prefixes = Product prefixes
prefixes-hint = Only for products whose names begin so; several with spaces between them.
key = Key

## Organisation
organisation-lead = Whether what is installed is covered by what was bought, unit by unit.
no-organisation = No organisation is registered
no-organisation-text = For one office none is needed: every machine may use every seat. With several units, register the tree and what each bought; then this page says where something is short.
nothing-installed = Nothing that the catalog knows is installed, and nothing was bought.
unregistered = License { $license } covers nothing yet: { $why }
tab-units = Units
tab-purchases = Purchases
tab-what-if = What if
tab-history = History
unit = Unit
installed = Installed
bought = Bought
covered = Covered
compliance = Compliance
short = { $count ->
    [one] { $count } short
   *[other] { $count } short
  }
not-installed = not installed
all-covered = covered
surplus = Unused
by-downgrade = By downgrade
seat-peak = Seats at peak
coverage-label = { $required } installed: { $covered } covered, { $short } short; { $surplus } bought and not used
legal-entity = legal entity
fold = Units below { $name }
own-in-parentheses = Figures are those of a unit with all below it; its own are in parentheses.
purchase = Purchase
no-purchases = Nothing was bought of it
no-purchases-text = Each license is a purchase; others are registered with “seatkeeper purchase import”.
owner = Owner
quantity = Quantity
used = Used
cost = Cost each
allocated = Allocated
allocate = Allocate
allocate-title = Allocate { $purchase }
allocate-text = How many of { $product } { $version } are for which unit only. What is left over covers as the purchase says.
allocated-of = { $sum } of { $quantity } allocated
rest-automatic = the rest by itself
owner-only = the owner only
purchase-used = used
purchase-partly-used = partly used
purchase-not-used = not used
purchase-not-assessed = not assessed
no-history = No calculations yet
no-history-text = Coverage is calculated whenever something changes; each change is told here.
difference = short before: { $before }, after: { $after }; covered { $covered } of { $required }, unused { $surplus }
what-if = What would be if…
what-if-text = Try purchases and moves. Nothing is changed by asking.
change = Change
change-buy = We buy
change-remove = A purchase ends
change-move = A unit moves
change-legal = Coverage at legal entities
add-change = Add
no-changes = Nothing changed yet
no-changes-text = Add a change at the left, and here is what would be different.
no-difference = That makes no difference.
then = Then
to-below = To below
stops-at-legal = Coverage stops at legal entities
crosses-legal = Coverage crosses legal entities
would-buy = Buy { $quantity } of { $product } { $version }
would-remove = Without { $purchase }
would-move = { $node } moves below { $parent }
take-back = Take back: { $change }

## Usage
usage-lead = How many seats were in use, how many out of the house, and who had to go without.
no-usage = Nothing was used yet
no-usage-text = From the first start of a program on, hours and days are counted here.
export-csv = Export CSV
span = Span
by-hour = Hours
by-day = Days
last-week = The last 7 days, hour by hour.
last-year = Up to 396 days, day by day.
peak = At peak
average = On average
denials = Refused
time = Time
peak-sum = seats at peak
peak-of = { $peak } of { $owned }
seat-hours = { $count ->
    [one] seat hour
   *[other] seat hours
  }
hours-out = of them out of the house
starts = { $count ->
    [one] start
   *[other] starts
  }
refused-starts = { $count ->
    [one] refused
   *[other] refused
  }
chart-label = Seats of { $product } in use over time
why-refused = Why starts were refused
rule-no-seat = because all seats were taken
rule-queue = because others waited longer
rule-not-licensed = because no license covers it
rule-limit = because of a limit

## Site
site-lead = How the site is, and what was done.
health = Health
all-well = All is well.
all-well-text = Nothing needs your attention.
check-now = Check now
checking = Checking…
checks-title = What was checked just now
severity = { $severity ->
    [ok] Well:
    [info] Note:
    [warning] Warning:
   *[error] Error:
  }
rotate-key = Replace the signing key
rotate-text = A machine that was shut out had the key that signs tickets. The recovery code makes a new one; running programs go on.
books = Who keeps the books
quorum-ok = { $live } of { $voters } machines that vote are there{ $spare ->
    [0] ; none may be missing.
    [one] ; one more may fail and nobody's work stops.
   *[other] ; { $spare } more may fail and nobody's work stops.
  }
quorum-lost = Only { $live } of { $voters } machines that vote are there, { $needed } are needed: switch one of the others on. Running programs keep their seats for a while.
holder = Hands out seats
me-and-role = { $name }, { $role }
site-id = Site id
generation = Generation
admins = Admins
may-change = may change everything
may-read = may look at everything
add-admin = Add an admin
first-password-hint = It seals the new key file; pass both on separately.
new-key-text = Give this file to { $name }. It opens with the password that you have chosen.
remove-admin-title = Remove { $name }?
remove-admin-text = That key may do nothing here any more. What it did stays done.
audit = Audit
filter-audit = Person, product, what…
from-day = From this day
to-day = To this day
what-happened = What happened
number = No.
audit-more = There are more records in these days; the export has all.
audit-newest = The newest { $shown } of { $all }.
leave-section = Leave the site
leave-text = { $machine } then gives its seats back and forgets the site. It can join again by invitation.
leave = Leave
leave-title = Leave { $site }?
leave-ask = Seats in use on this machine end, and programs that need one stop.

## Health, by code: the agent's own sentences are English; here are those whose remedy is on these pages
health-no-site = This machine belongs to no site.
health-waiting = The site { $site } knows that this machine wants to join; an admin admits it under Machines.
health-pool-key-exposed = A machine that was shut out had the key that signs tickets. Replace the key with the recovery code.
health-device-lost = This machine was reported as lost and gets no seats. If it is found, an admin says so under Machines.
health-license-ends = The license { $license } for { $product } ends on { $until }, in { $left }. Ask the vendor for its successor and load that under Licenses.
health-license-ended = The license { $license } for { $product } ended on { $until }, and { $seats ->
    [one] one of its seats is
   *[other] { $seats } of its seats are
  } still in use. Load its successor under Licenses, or let these programs end.
health-borrow-ends = The seat of { $product } that is along ends in { $left }. Extend it under Take along, or save your work by then.
