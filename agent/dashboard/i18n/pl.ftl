# Co mówią strony, po polsku. Klucze i zmienne są te same w każdym języku; pilnuje tego test.

## Rama
page-welcome = Witamy
page-seats = Stanowiska
page-along = Weź ze sobą
page-machines = Komputery
page-licenses = Licencje
page-organisation = Organizacja
page-usage = Wykorzystanie
page-site = Biuro
pages = Strony
skip = Przejdź do treści
menu = Menu
language = Język
theme = { $theme ->
    [light] Motyw: jasny
    [dark] Motyw: ciemny
   *[auto] Motyw: jak w systemie
  }
this-is = na komputerze { $name }
loading = Wczytywanie…
lost-title = Agent na tym komputerze nie odpowiada.
lost-text = To, co widać, ma już { $since }. Gdy agent wróci, strona sama ruszy dalej.
agent-lost = Agent na tym komputerze nie odpowiada; spróbuj ponownie, gdy wróci.
health-count = { $count ->
    [one] jedna sprawa wymaga uwagi
    [few] { $count } sprawy wymagają uwagi
    [many] { $count } spraw wymaga uwagi
   *[other] { $count } sprawy wymaga uwagi
  }
machines-waiting-count = { $count ->
    [one] jeden komputer czeka
    [few] { $count } komputery czekają
    [many] { $count } komputerów czeka
   *[other] { $count } komputera czeka
  }

## Słowa
unknown = nie wiadomo
yes = tak
no = nie
ok = pokryte
any = wszystkie
nobody = chwilowo nikt
close = Zamknij
cancel = Anuluj
save = Zapisz
saved = Zapisano.
copy = Kopiuj
copied = Skopiowano.
copy-failed = Przeglądarka nie pozwala tej stronie kopiować; zaznacz tekst.
remove = Usuń
removed = Usunięto.
remove-name = Usuń: { $name }
details-of = Szczegóły: { $name }
settings = Ustawienia
settings-of = Ustawienia: { $name }
actions = Działania
working = Chwileczkę…
show-all = Pokaż wszystko
export = Eksportuj
nothing-found = Nic nie znaleziono
nothing-found-text = Nic tutaj nie pasuje do tego, czego szukasz.
go-to = { $page }
go-on = Dalej
and-more = { $names } i { $count ->
    [one] jeszcze jeden
    [few] jeszcze { $count }
    [many] jeszcze { $count }
   *[other] jeszcze { $count }
  }

## Czas
yesterday = wczoraj
tomorrow = jutro
yesterday-at = wczoraj { $clock }
tomorrow-at = jutro { $clock }
less-than-a-minute = niecała minuta
minutes = { $minutes } min
hours = { $hours } h
hours-minutes = { $hours } h { $minutes } min
days = { $days ->
    [one] { $days } dzień
    [few] { $days } dni
    [many] { $days } dni
   *[other] { $days } dnia
  }

## Kto tu jest
look-only = Tylko podgląd
look-only-why = Strona nie wie, kim jesteś, więc niczego nie zmienia.
how-to-open = Jak zrobić więcej
open-title = Przedstaw się stronie
open-why = Strona w przeglądarce nie wie, kto klika. Otwórz ją z terminala albo z menu Start, na swoim koncie:
open-then = Strona otworzy się ponownie, już w Twoim imieniu. Można wtedy brać stanowiska ze sobą, oddawać je i prosić o nieużywane, a administratorzy mogą się zalogować.
open-hint = Aby coś tu zmienić, otwórz stronę w swoim imieniu.
admin-hint = Aby coś tu zmienić, zaloguj się kluczem administratora.
reader-hint = Twój klucz pozwala wszystko oglądać, ale niczego nie zmieniać.
sign-in = Zaloguj się jako administrator
sign-in-why = Klucz pozostaje zaszyfrowany w pliku. Agent otwiera go Twoim hasłem i po 15 minutach o nim zapomina.
sign-out = Wyloguj
signed-in = Witaj, { $name }.
admin-is = { $role ->
    [reader] { $name }, podgląd
   *[admin] { $name }, administrator
  }
minutes-left = jeszcze { $minutes } min
seconds-left = jeszcze { $seconds } s
admin-over = Minęło 15 minut. Zaloguj się ponownie, aby kontynuować.
drop-key = Upuść tutaj plik klucza
drop-key-hint = albo wybierz go: to plik utworzony razem z nazwą administratora
drop-key-first = Najpierw wybierz plik klucza.
key-remembered = Klucz zapamiętany w tej przeglądarce
another-key = Inny klucz
remember-key = Zapamiętaj plik klucza w tej przeglądarce
remember-key-hint = Pozostaje zaszyfrowany: bez hasła nikomu się nie przyda.
password = Hasło
password-again = To samo hasło jeszcze raz
passwords-differ = Hasła różnią się od siebie.

## Problemy, które zawsze brzmią tak samo
problem-no-session = Ta strona jest otwarta tylko do podglądu; otwórz ją ponownie poleceniem „seatkeeper open”.
problem-csrf = Ta strona jest już nieaktualna; odśwież ją.
problem-sign-in = Najpierw zaloguj się kluczem administratora.
problem-wrong-password = To hasło nie otwiera tego klucza.
problem-slow-down = Zbyt wiele błędnych haseł; spróbuj ponownie za { $seconds } s.

## Stanowiska
seats-lead = Kto na czym teraz pracuje.
products = Programy
tally-use = w użyciu
tally-out = poza biurem
tally-free = { $count ->
    [one] wolne
    [few] wolne
    [many] wolnych
   *[other] wolnego
  }
tally-wait = { $count ->
    [one] czeka
    [few] czekają
    [many] czeka
   *[other] czeka
  }
in-use = W użyciu
out-of-house = Poza biurem
along-here = Zabrane, jeszcze w biurze
free = Wolne
waiting = Czekają
too-many = Za dużo
owned = Kupione
used-of = { $used } z { $owned }
all-products = Pokaż wszystkie programy ({ $count })
bar-label = Stanowiska: { $owned }; w użyciu { $use }, poza biurem { $out }, wolne { $free }; czeka: { $waiting }
queue = Czekają na stanowisko
place = Miejsce
place-in-queue = { $place ->
    [1] pierwsze
   *[other] { $place }. w kolejce
  }
passed-over = poza zasięgiem
passed-over-why = Komputer jest poza zasięgiem: inni mają pierwszeństwo, dopóki nie wróci.
seats-taken = { $count ->
    [0] Nikt nie zajmuje stanowiska
    [one] Jedno zajęte stanowisko
    [few] { $count } zajęte stanowiska
    [many] { $count } zajętych stanowisk
   *[other] { $count } zajętego stanowiska
  }
filter = Osoba, komputer, program…
shown-of = { $shown } z { $all }
who = Kto
you = Ty
product = Program
machine = Komputer
state = Stan
since = Od
idle = Bezczynność
active = pracuje
kind-online = w użyciu
kind-borrowed = poza biurem
kind-parked = zaparkowane
kind-grace = tryb awaryjny
borrowed-until = zabrane do: { $ends }
asked = ktoś prosi
asked-since = Ktoś z kolejki prosi o to stanowisko; od: { $since }.
nobody-works = Wszystkie stanowiska są wolne
nobody-works-text = Gdy ktoś uruchomi program, który potrzebuje stanowiska, od razu będzie to tu widać.
release = Zwolnij
release-title = Odebrać stanowisko? ({ $user })
release-text = { $user } natychmiast traci stanowisko { $product } na komputerze { $machine }; program dostanie polecenie zakończenia, a niezapisana praca może przepaść. Stanowisko będzie mógł zająć ktoś inny.
release-borrowed-text = To stanowisko { $product } jest zabrane na komputerze { $machine } ({ $user }). Jeśli komputer jest poza zasięgiem, będzie z niego korzystał do ustalonego dnia i do tego czasu stanowisko pozostanie zajęte.
released = Stanowisko zwolnione ({ $user }).
ask-for-it = Poproś
ask-title = Poproś o stanowisko ({ $user })
ask-text = Nieużywane od: { $idle }. { $user } przeczyta wiadomość i zdecyduje; nic nie zostanie odebrane.
message = Wiadomość
message-example = Na godzinkę, jeśli można
asked-done = Prośba wysłana ({ $user }).

## Weź ze sobą
along-lead = Weź stanowisko ze sobą na komputerze { $machine } i pracuj gdziekolwiek, bez sieci, do wybranego dnia.
along-open = Weź stanowisko ze sobą
along-open-text = Stanowisko, które opuszcza biuro, musi być na czyjeś nazwisko. Otwórz stronę w swoim imieniu, aby je wziąć.
taken-along = Na tym komputerze
time-left = zostało: { $left }
until = do: { $ends }
renews = Przedłuża się ({ $span }), ilekroć komputer jest w zasięgu biura.
programs-use-it = { $count ->
    [one] Korzysta z niego teraz jeden program.
    [few] Korzystają z niego teraz { $count } programy.
    [many] Korzysta z niego teraz { $count } programów.
   *[other] Korzysta z niego teraz { $count } programu.
  }
extend = Przedłuż
extend-title = Przedłuż: { $product }
extend-text = Teraz kończy się: { $ends }. Do kiedy będzie potrzebne?
extended = Przedłużono.
give-back = Oddaj
give-back-title = Oddać { $product }?
give-back-running = { $count ->
    [one] Program, który korzysta z tego stanowiska, je straci.
    [few] { $count } programy, które korzystają z tego stanowiska, je stracą.
    [many] { $count } programów, które korzystają z tego stanowiska, je straci.
   *[other] { $count } programu, które korzysta z tego stanowiska, je straci.
  }
given-back = Oddano. Dziękujemy.
returning = { $count ->
    [one] Jedno stanowisko zostanie oddane, gdy tylko biuro będzie w zasięgu.
    [few] { $count } stanowiska zostaną oddane, gdy tylko biuro będzie w zasięgu.
    [many] { $count } stanowisk zostanie oddanych, gdy tylko biuro będzie w zasięgu.
   *[other] { $count } stanowiska zostanie oddane, gdy tylko biuro będzie w zasięgu.
  }
take-one = Weź stanowisko ze sobą
what = Co
until-when = Do kiedy
free-and-days = wolne: { $free }, najwyżej na { $days ->
    [one] { $days } dzień
    [few] { $days } dni
    [many] { $days } dni
   *[other] { $days } dnia
  }
month-before = Poprzedni miesiąc
month-after = Następny miesiąc
choose-a-day = Najpierw wybierz dzień.
renew = Przedłużaj automatycznie
renew-hint = Ilekroć ten komputer znajdzie się w zasięgu biura, okres liczy się od nowa.
take-along-until = Weź { $product } ze sobą do: { $day }
borrowed-done = { $product } – zabrane do: { $day }. Można ruszać w drogę.
none-free-to-borrow = Chwilowo wszystkie stanowiska są zajęte.
nothing-to-borrow = Niczego nie można zabrać
nothing-to-borrow-text = Żadna licencja nie pozwala zabierać stanowisk z biura. Te, które pozwalają, mają wpis „borrow”.

## Komputery
machines-lead = Wszystkie komputery biura; kilka z nich prowadzi księgę, więc żaden nie musi być serwerem.
machines-online = online: { $online } z { $all }
machines-waiting = Proszą o dołączenie
compare-fingerprint = Porównaj z tym, co pokazuje sam komputer:
fingerprint = Odcisk klucza
filter-machines = Nazwa, adres, rola…
name = Nazwa
online = Online
offline = offline
seen = ostatnio: { $when }
last-seen = Ostatnio widziany
role = Rola
role-holder = rozdziela stanowiska
role-voter = głosuje
role-standby = w odwodzie
role-spare = uczestniczy
role-revoked = wykluczony
role-waiting = czeka
role-none = sam
role-why-holder = Wybrany przez pozostałe. Gdy zniknie, w ciągu sekundy zastąpi go inny.
role-why-voter = Prowadzi księgę i wybiera, kto rozdziela stanowiska.
role-why-standby = Ma kopię księgi i może głosować, gdy któryś z głosujących zniknie na dobre.
role-why-spare = Bierze i oddaje stanowiska; księgi nie prowadzi.
role-why-revoked = Wykluczony z biura na zawsze.
address = Adres
seats = Stanowiska
clock = Zegar
clock-right = dobrze
version = Wersja
form = Rodzaj
form-desktop = Stacjonarny
form-laptop = Laptop
always-on = Zawsze włączony
always-on-hint = Ma pierwszeństwo przy wyborze głosujących.
seats-and-borrowed = w użyciu { $seats }, zabrane { $borrowed }
borrowed-count = zabrane: { $count }
this-machine = ten komputer
shut-out = wykluczony
lost-word = zgubiony
lost-since = Zgłoszony jako zgubiony: { $since }
only-one-machine = Na razie do biura należy tylko ten komputer. Zaproś jeszcze dwa, a awaria żadnego z nich nie zatrzyma pracy.
admit = Przyjmij
admit-title = Przyjąć { $name }?
admit-text = Komputer będzie mógł zajmować stanowiska, a w razie potrzeby prowadzić księgę. Porównaj odcisk klucza z tym, co sam pokazuje – choćby przez telefon.
admitted = { $name } należy już do biura.
report-lost = Zgłoś zgubienie
lost-dialog-title = Zgłosić zgubienie: { $name }?
lost-dialog-text = Od teraz nie dostanie stanowisk. { $borrowed ->
    [0] Żadnego nie ma ze sobą.
    [one] Stanowisko, które ma ze sobą, wróci po upływie terminu albo od razu, jeśli tak mówi licencja.
    [few] { $borrowed } stanowiska, które ma ze sobą, wrócą po upływie terminu albo od razu, jeśli tak mówi licencja.
    [many] { $borrowed } stanowisk, które ma ze sobą, wróci po upływie terminu albo od razu, jeśli tak mówi licencja.
   *[other] { $borrowed } stanowiska, które ma ze sobą, wróci po upływie terminu albo od razu, jeśli tak mówi licencja.
  }
found-again = Odnaleziony
found-title = Komputer { $name } się odnalazł?
found-text = Znów będzie mógł zajmować stanowiska, jak wcześniej.
revoke = Wyklucz
revoke-title = Wykluczyć { $name } na zawsze?
revoke-text = Pod tą tożsamością już nigdy nie wróci. { $seats ->
    [0] Nie zajmuje żadnego stanowiska.
    [one] Zajmuje jedno stanowisko, które straci.
    [few] Zajmuje { $seats } stanowiska, które straci.
    [many] Zajmuje { $seats } stanowisk, które straci.
   *[other] Zajmuje { $seats } stanowiska, które straci.
  }
revoke-code-hint = Ma klucz, którym podpisuje się bilety. Kod odzyskiwania pozwala od razu go wymienić.
revoked = { $name } jest wykluczony.
recovery-code = Kod odzyskiwania
invite = Zaproś komputer
invite-title = Zaproś komputery
invite-text = Kto ma kod, dołącza bez pytania. Przekaż go tak ostrożnie jak klucz.
invite-uses = Dla ilu komputerów
invite-lasts = Ważny przez
invite-make = Utwórz kod
invite-done = Kod
invite-done-text = { $uses ->
    [one] Dla jednego komputera, ważny do: { $ends }.
    [few] Dla { $uses } komputerów, ważny do: { $ends }.
    [many] Dla { $uses } komputerów, ważny do: { $ends }.
   *[other] Dla { $uses } komputera, ważny do: { $ends }.
  }
invite-cli = Wpisz go na stronie powitalnej drugiego komputera albo w terminalu:

## Witamy
welcome-title = Witaj w Seatkeeperze
welcome-lead = Komputer { $machine } nie należy jeszcze do żadnego biura. Biuro to komputery, które dzielą się licencjami.
welcome-open = Aby skonfigurować ten komputer, otwórz stronę w swoim imieniu.
not-manager = { $user } nie może konfigurować tego komputera; zrób to jako jego administrator albo członek grupy „seatkeeper”.
found-site = Znaleziono „{ $name }”
found-site-text = Jest w tej sieci. Tamtejszy administrator przyjmie ten komputer po porównaniu odcisku klucza. { $address }
ask-to-join = Poproś o dołączenie
looking = Rozglądam się…
looking-text = Biura w tej sieci pojawią się tu same.
have-code = Mam kod
have-code-text = Administrator biura przygotował zaproszenie dla tego komputera.
enter-code = Wpisz kod
enter-code-text = Wklej cały kod, tak jak go dostałeś od administratora.
invitation-code = Zaproszenie
join = Dołącz
joined = Komputer należy już do biura.
create-site = Utwórz biuro
create-site-text = Dla pierwszego komputera. Pozostałe do niego dołączą.
site-name = Nazwa biura
site-name-example = Pracownia
admin-name = Nazwa administratora
admin-name-hint = Ta osoba wczytuje licencje i przyjmuje komputery. Kolejne można dodać później.
password-hint = Szyfruje plik klucza administratora. Co najmniej 8 znaków.
keep-these = Zachowaj te dwie rzeczy
keep-code = Kod odzyskiwania
keep-code-text = Pokazujemy go tylko ten jeden raz. Kto go ma, może odtworzyć biuro; bez niego nie może nikt. Zapisz go na papierze.
kept-code = Mam go na papierze
keep-key = Plik klucza administratora
keep-key-text = Do logowania potrzebny jest ten plik i jego hasło.
download-key = Pobierz plik klucza
waiting-title = Czekamy na przyjęcie
waiting-text = Administrator znajdzie ten komputer na dowolnej stronie biura, w zakładce Komputery. Porównajcie odcisk klucza:
wait-no-more = Nie czekaj dłużej

## Licencje
licenses-lead = Co kupiono i na jak długo.
no-licenses = Nie ma jeszcze licencji
no-licenses-text = Administrator wczytuje plik licencji od producenta: raz, na dowolnym komputerze.
no-licenses-admin = Najpierw dodaj poniżej zaufanego producenta, a potem upuść powyżej plik licencji.
to-licenses = Przejdź do licencji
drop-license = Upuść tutaj plik licencji
drop-license-hint = albo wybierz go. Wczytuje się raz, dla wszystkich komputerów.
license-added = Wczytano { $name }.
license-id = Licencja
license-state-active = obowiązuje
license-state-future = jeszcze nie obowiązuje
license-state-ended = wygasła
license-state-replaced = zastąpiona
license-state-removed = usunięta
ends-in = { $days ->
    [0] wygasa dziś
    [one] wygasa za { $days } dzień
    [few] wygasa za { $days } dni
    [many] wygasa za { $days } dni
   *[other] wygasa za { $days } dnia
  }
seats-word = { $count ->
    [one] stanowisko
    [few] stanowiska
    [many] stanowisk
   *[other] stanowiska
  }
valid = Ważna
valid-from = od { $from }, bezterminowo
valid-to = do { $to }
valid-from-to = od { $from } do { $to }
valid-until = Ważna do
for-ever = bezterminowo
features = Moduły
earlier-versions = Wcześniejsze wersje
take-along = Zabieranie ze sobą
not-allowed = niedozwolone
up-to-days = { $days ->
    [one] do { $days } dnia
    [few] do { $days } dni
    [many] do { $days } dni
   *[other] do { $days } dnia
  }
vendor = Producent
show-text = Pokaż plik
show-old = { $count ->
    [one] Pokaż jedną starą licencję
    [few] Pokaż { $count } stare licencje
    [many] Pokaż { $count } starych licencji
   *[other] Pokaż { $count } starej licencji
  }
hide-old = Ukryj stare licencje
remove-license-title = Usunąć licencję { $title }?
remove-license-text = { $seats ->
    [one] Jej stanowisko nie będzie
    [few] Jej { $seats } stanowiska nie będą
    [many] Jej { $seats } stanowisk nie będzie
   *[other] Jej { $seats } stanowiska nie będzie
  } już rozdzielane; kto pracuje na licencji { $id }, pracuje dalej, aż zakończy program.
trusted-vendors = Zaufani producenci
no-vendors = Nie ma jeszcze zaufanego producenta, a licencja jest uznawana tylko z podpisem zaufanego producenta.
trust-vendor = Dodaj zaufanego producenta
trust-text = Poproś producenta o klucz pewną drogą: kto ma drugą połowę, może podpisywać licencje na podane tu programy.
trust = Zaufaj
drop-vendor = Upuść tutaj klucz publiczny producenta
drop-vendor-hint = albo wybierz plik lub wklej klucz poniżej
vendor-name = Nazwa
vendor-trusted = Producent jest zaufany.
prefixes = Początki nazw programów
prefixes-hint = Tylko dla programów, których nazwy tak się zaczynają; kilka oddziel spacjami.
key = Klucz

## Organizacja
organisation-lead = Czy to, co zainstalowano, ma pokrycie w tym, co kupiono – jednostka po jednostce.
no-organisation = Nie zarejestrowano organizacji
no-organisation-text = Jednemu biuru nie jest potrzebna: każdy komputer może zająć każde stanowisko. Jeśli jednostek jest kilka, zarejestruj ich drzewo i zakupy, a strona pokaże, gdzie czegoś brakuje.
nothing-installed = Nie zainstalowano nic z katalogu i nic nie kupiono.
unregistered = Licencja { $license } niczego jeszcze nie pokrywa: { $why }
tab-units = Jednostki
tab-purchases = Zakupy
tab-what-if = Co, jeśli
tab-history = Historia
unit = Jednostka
installed = Zainstalowane
bought = Kupione
covered = Pokryte
compliance = Zgodność
short = { $count ->
    [one] brakuje { $count }
   *[other] brakuje { $count }
  }
not-installed = niezainstalowany
all-covered = pokryte
surplus = Niewykorzystane
by-downgrade = Przez starszą wersję
seat-peak = Stanowiska w szczycie
coverage-label = Zainstalowane: { $required }; pokryte { $covered }, brakuje { $short }; kupione i niewykorzystane: { $surplus }
legal-entity = osoba prawna
fold = Jednostki podległe: { $name }
own-in-parentheses = Liczby obejmują jednostkę ze wszystkimi podległymi; jej własne są w nawiasach.
purchase = Zakup
no-purchases = Niczego z tego nie kupiono
no-purchases-text = Każda licencja jest zakupem; inne rejestruje się poleceniem „seatkeeper purchase import”.
owner = Właściciel
quantity = Ilość
used = Wykorzystane
cost = Cena za sztukę
allocated = Przydział
allocate = Przydziel
allocate-title = Przydziel: { $purchase }
allocate-text = Ile sztuk { $product } { $version } jest tylko dla danej jednostki. Reszta działa tak, jak określa zakup.
allocated-of = przydzielono { $sum } z { $quantity }
rest-automatic = reszta automatycznie
owner-only = tylko właściciel
purchase-used = wykorzystany
purchase-partly-used = częściowo wykorzystany
purchase-not-used = niewykorzystany
purchase-not-assessed = nieoceniony
no-history = Nie było jeszcze obliczeń
no-history-text = Pokrycie jest liczone przy każdej zmianie; tu widać, co się zmieniło.
difference = brakowało: { $before }, brakuje: { $after }; pokryte { $covered } z { $required }, niewykorzystane { $surplus }
what-if = Co by było, gdyby…
what-if-text = Wypróbuj zakupy i przenosiny. Samo pytanie niczego nie zmienia.
change = Zmiana
change-buy = Kupujemy
change-remove = Zakup znika
change-move = Jednostka zmienia miejsce
change-legal = Pokrycie a osoby prawne
add-change = Dodaj
no-changes = Na razie bez zmian
no-changes-text = Dodaj zmianę w formularzu obok, a tu pojawi się różnica.
no-difference = To niczego nie zmienia.
then = Wtedy
to-below = Pod jednostkę
stops-at-legal = Pokrycie nie przekracza granic osób prawnych
crosses-legal = Pokrycie przekracza granice osób prawnych
would-buy = Zakup: { $product } { $version }, { $quantity } szt.
would-remove = Bez zakupu { $purchase }
would-move = { $node } przechodzi pod { $parent }
take-back = Cofnij: { $change }

## Wykorzystanie
usage-lead = Ile stanowisk było w użyciu, ile poza biurem i komu ich zabrakło.
no-usage = Nic jeszcze nie było używane
no-usage-text = Od pierwszego uruchomienia programu liczymy tu godziny i dni.
export-csv = Eksportuj CSV
span = Zakres
by-hour = Godziny
by-day = Dni
last-week = Ostatnie 7 dni, godzina po godzinie.
last-year = Do 396 dni, dzień po dniu.
peak = W szczycie
average = Średnio
denials = Odmowy
time = Czas
peak-sum = stanowisk w szczycie
peak-of = { $peak } z { $owned }
seat-hours = { $count ->
    [one] stanowiskogodzina
    [few] stanowiskogodziny
    [many] stanowiskogodzin
   *[other] stanowiskogodziny
  }
hours-out = w tym poza biurem
starts = { $count ->
    [one] uruchomienie
    [few] uruchomienia
    [many] uruchomień
   *[other] uruchomienia
  }
refused-starts = { $count ->
    [one] odmowa
    [few] odmowy
    [many] odmów
   *[other] odmowy
  }
chart-label = Zajęte stanowiska { $product } w czasie
why-refused = Dlaczego odmawiano
rule-no-seat = bo wszystkie stanowiska były zajęte
rule-queue = bo inni czekali dłużej
rule-not-licensed = bo żadna licencja tego nie obejmuje
rule-limit = z powodu limitu

## Biuro
site-lead = Jak się ma biuro i co się w nim działo.
health = Stan
all-well = Wszystko w porządku.
all-well-text = Nic nie wymaga uwagi.
check-now = Sprawdź teraz
checking = Sprawdzam…
checks-title = Co właśnie sprawdzono
severity = { $severity ->
    [ok] W porządku:
    [info] Uwaga:
    [warning] Ostrzeżenie:
   *[error] Błąd:
  }
rotate-key = Wymień klucz podpisujący
rotate-text = Wykluczony komputer miał klucz, którym podpisuje się bilety. Kod odzyskiwania tworzy nowy; uruchomione programy działają dalej.
books = Kto prowadzi księgę
quorum-ok = Głosujące komputery na miejscu: { $live } z { $voters }{ $spare ->
    [0] ; żadnego nie może zabraknąć.
    [one] ; jeden może jeszcze zawieść i nikt nie przerwie pracy.
    [few] ; { $spare } mogą jeszcze zawieść i nikt nie przerwie pracy.
    [many] ; { $spare } może jeszcze zawieść i nikt nie przerwie pracy.
   *[other] ; { $spare } może jeszcze zawieść i nikt nie przerwie pracy.
  }
quorum-lost = Głosujące komputery na miejscu: tylko { $live } z { $voters }, a potrzeba { $needed }. Włącz któryś z pozostałych. Uruchomione programy jeszcze przez chwilę zachowają stanowiska.
holder = Rozdziela stanowiska
me-and-role = { $name }, { $role }
site-id = Identyfikator biura
generation = Generacja
admins = Administratorzy
may-change = może wszystko zmieniać
may-read = może wszystko oglądać
add-admin = Dodaj administratora
first-password-hint = Szyfruje nowy plik klucza; przekaż jedno i drugie osobno.
new-key-text = Przekaż ten plik osobie { $name }. Otwiera się hasłem, które właśnie wybrano.
remove-admin-title = Usunąć administratora { $name }?
remove-admin-text = Ten klucz nie będzie tu już do niczego uprawniał. To, co zrobiono, pozostaje.
audit = Dziennik
filter-audit = Osoba, program, zdarzenie…
from-day = Od dnia
to-day = Do dnia
what-happened = Co się stało
number = Nr
audit-more = W tych dniach jest więcej wpisów; eksport zawiera wszystkie.
audit-newest = Najnowsze wpisy: { $shown } z { $all }.
leave-section = Opuść biuro
leave-text = { $machine } odda wtedy stanowiska i zapomni o biurze. Może wrócić z zaproszeniem.
leave = Opuść
leave-title = Opuścić biuro { $site }?
leave-ask = Stanowiska zajęte na tym komputerze przepadną, a programy, które ich potrzebują, przestaną działać.

## Stan, według kodów
health-no-site = Ten komputer nie należy do żadnego biura.
health-waiting = Biuro { $site } wie, że ten komputer chce dołączyć; administrator przyjmie go w zakładce Komputery.
health-no-holder = Żaden komputer biura nie może teraz rozdzielać stanowisk. Włącz jeszcze jeden z głosujących albo sprawdź sieć.
health-no-quorum = Nie można teraz rozdzielać stanowisk: odpowiada { $live } z { $voters } głosujących komputerów, a potrzeba { $needed }. Włącz jeszcze jeden albo sprawdź sieć; jeśli przepadły na zawsze, zobacz „seatkeeper site recover --plan”.
health-no-quorum-with-missed = Nie można teraz rozdzielać stanowisk: odpowiada { $live } z { $voters } głosujących komputerów, a potrzeba { $needed }. Włącz lub podłącz: { $missed }; jeśli przepadły na zawsze, zobacz „seatkeeper site recover --plan”.
health-voters-missed = Odpowiada { $live } z { $voters } głosujących komputerów. To wystarczy, ale nie ma: { $missed }. Kto długo nie wraca, traci głos na rzecz innego włączonego komputera.
health-turned-away = Biuro odrzuca ten komputer: { $reason }
health-two-sites = Dwa biura w tej sieci nazywają się „{ $site }”: to, do którego należy ten komputer ({ $id }), i drugie, widziane pod adresem { $address } ({ $other }). Jeśli powstało przez pomyłkę, niech jego komputery je opuszczą i dołączą do tego.
health-several-sites = W pobliżu jest kilka biur: { $sites }. Poproś administratora swojego o kod.
health-newer-generation = Biuro odtworzono bez tego komputera: pod adresem { $address } widziano generację { $other }, a ten komputer jest w generacji { $generation } i przejdzie za nim, gdy spotka taki, który to poświadczy. Jeśli to trwa, opuść biuro i dołącz ponownie z nowym kodem.
health-older-generation = Komputer pod adresem { $address } przegapił odtworzenie biura: jest w generacji { $other }, a biuro w generacji { $generation }; przejdzie za nim, gdy spotka taki, który to poświadczy. Jeśli to trwa, niech opuści biuro i dołączy ponownie z nowym kodem.
health-durability-single = Księgę prowadzi tylko jeden komputer. Jeśli padnie jego dysk, przepadnie i ona; niech dołączy drugi.
health-pool-key-exposed = Wykluczony komputer miał klucz, którym podpisuje się bilety. Wymień klucz za pomocą kodu odzyskiwania.
health-log-failed = Ten komputer nie może już prowadzić księgi: { $reason }. Sprawdź dysk i uruchom agenta ponownie.
health-audit-unwritten = Ten komputer nie może zapisywać dziennika: { $reason }. Zwolnij miejsce albo sprawdź dysk.
health-clock-off = Zegar tego komputera { $side ->
    [ahead] spieszy się
   *[behind] spóźnia się
  } względem biura o { $apart }. Ustaw go: do tego czasu nie można zabierać stanowisk.
health-device-lost = Ten komputer zgłoszono jako zgubiony i nie dostaje stanowisk. Jeśli się odnalazł, administrator zaznaczy to w zakładce Komputery.
health-borrow-ends = Zabrane stanowisko { $product } kończy się; zostało: { $left }. Przedłuż je w zakładce „Weź ze sobą” albo zapisz do tego czasu pracę.
health-license-ends = Licencja { $license } na { $product } wygasa { $until }; zostało: { $left }. Poproś producenta o następną i wczytaj ją w zakładce Licencje.
health-license-ended = Licencja { $license } na { $product } wygasła { $until }, a w użyciu są jeszcze { $seats ->
    [one] jedno jej stanowisko
    [few] { $seats } jej stanowiska
    [many] jej stanowiska ({ $seats })
   *[other] jej stanowiska ({ $seats })
  }. Wczytaj następną w zakładce Licencje albo poczekaj, aż programy się zakończą.
health-disk-full = Dysk z { $path } jest pełny: zostało { $free } z { $total } i wkrótce nic nie da się zapisać. Zwolnij miejsce już teraz.
health-disk-low = Dysk z { $path } jest prawie pełny: zostało { $free } z { $total }. Zwolnij miejsce, zanim nic nie da się zapisać.
health-foreign-owner = { $path } należy do innego użytkownika (uid { $uid }). Uruchom agenta jako ten użytkownik albo zmień właściciela poleceniem „chown”.
health-others-write = { $path } mogą zmieniać inni użytkownicy; wykonaj „chmod go-w { $path }”.
health-others-read = { $path } mogą czytać inni użytkownicy; wykonaj „chmod go-r { $path }”.
health-web-port-taken = Strony tego komputera nie można wyświetlać: adres { $address } zajmuje inny program. Zatrzymaj go albo uruchom agenta z innym --web; ponawiamy co 10 s.
health-web-port-taken-with-program = Strony tego komputera nie można wyświetlać: adres { $address } zajmuje { $program }. Zatrzymaj ten program albo uruchom agenta z innym --web; ponawiamy co 10 s.
health-web-port-failed = Strony tego komputera nie można wyświetlać pod adresem { $address }: { $reason }. Uruchom agenta z innym --web.
health-udp-port-closed = { $peer } próbował połączyć się z tym komputerem pod adresem { $address } i nikt nie odpowiedział. Zezwól w zaporze tego komputera na przychodzące UDP na porcie { $port }.
health-multicast-off = Ten komputer nie słyszy własnego multicastu ({ $interfaces }), więc nikogo nie znajduje i nikt nie znajduje jego. Zezwól w zaporze na UDP na porcie 5353 (mDNS) albo podaj inny komputer przez --peer.
health-multicast-blocked = Nikogo nie słychać przez multicast ({ $interfaces }), choć są tam osiągalne: { $peers }. Zezwól w zaporach na UDP na porcie 5353 (mDNS), a w przełączniku lub punkcie dostępowym na multicast (IGMP snooping, izolacja klientów), albo podaj komputer przez --peer.
health-bug = Księga odrzuciła coś niemożliwego; zgłoś to, proszę: { $detail }
health-agent-ok = Agent odpowiada; wersja { $version }
health-no-agent = Agent nie odpowiada: { $reason }
health-site-ok = Ten komputer należy do biura „{ $site }” ({ $id }), generacja { $generation }
health-holder-ok = Ten komputer rozdziela stanowiska
health-holder-ok-with-holder = Stanowiska rozdziela { $holder } i odpowiada w { $ms } ms
health-holder-silent = Stanowiska rozdziela { $holder }, ale nie odpowiada: { $reason }. Sprawdź sieć między tymi komputerami.
health-quorum-ok = Odpowiada { $live } z { $voters } głosujących komputerów, a potrzeba { $needed }
health-quorum-unknown = Tutaj nie wiadomo, ile głosujących komputerów odpowiada; zapytaj na którymś z nich
health-multicast-ok = Multicast działa ({ $interfaces }), o ile jeden komputer może to stwierdzić; innych komputerów biura tam nie ma
health-multicast-ok-with-peers = Przez multicast ({ $interfaces }) słychać: { $peers }
health-multicast-not-used = Komputerów nie szukamy przez multicast: agent działa z --no-mdns
health-multicast-unknown = Nie udało się sprawdzić multicastu: { $reason }
health-udp-port-ok = UDP { $address } jest wolny dla agenta
health-udp-port-ok-with-peer = { $peer } łączy się z tym komputerem pod adresem { $address }
health-udp-port-unknown = Nie wiadomo, czy port UDP { $port } jest dostępny z zewnątrz: żaden inny komputer biura nie jest połączony
health-udp-port-unknown-with-reason = Nie wiadomo, czy port UDP { $port } jest dostępny z zewnątrz: { $reason }
health-udp-port-taken = UDP { $address } zajmuje inny program. Zatrzymaj go albo uruchom agenta z innym --listen.
health-udp-port-taken-with-program = UDP { $address } zajmuje { $program }. Zatrzymaj ten program albo uruchom agenta z innym --listen.
health-udp-port-failed = Nie można nasłuchiwać na UDP { $address }: { $reason }. Uruchom agenta z innym --listen.
health-sites-ok = W pobliżu nie ma innego biura o tej nazwie
health-generation-ok = W pobliżu nie ma komputera z innej generacji biura
health-clock-ok = Zegar tego komputera zgadza się z biurem co do { $off_s } s
health-clock-unknown = Nie wiadomo, czy zegar tego komputera chodzi dobrze: nie było jeszcze odpowiedzi od komputera, który rozdziela stanowiska
health-disk-ok = Na dysku z { $path } jest jeszcze { $free } z { $total }
health-disk-unknown = Nie wiadomo, ile miejsca jest na dysku z { $path }: { $reason }
health-licenses-ok = W ciągu { $days } dni nie wygasa żadna licencja
health-licenses-unknown = Nie wiadomo, czy jakaś licencja wkrótce wygasa: komputer, który rozdziela stanowiska, nie odpowiada
health-rights-ok = Inni użytkownicy nie mogą ani czytać, ani zmieniać zawartości { $path }
health-rights-unknown = Nie można zajrzeć do { $path }: { $reason }. Uruchom to jako użytkownik agenta.
health-state-dir-new = { $path } jeszcze nie istnieje; agent utworzy go przy pierwszym uruchomieniu
health-web-port-ok = Strona tego komputera: { $address }
health-web-off = Ten komputer nie wyświetla strony: agent działa z „--web off”

## Zdarzenia, według rodzaju
event-site-founded = Utworzono biuro
event-checkout = { $user } zajmuje stanowisko { $product } na komputerze { $machine }
event-shared = { $user } współdzieli stanowisko { $product } na komputerze { $machine }
event-return = { $user } oddaje stanowisko { $product } na komputerze { $machine }
event-expire = Stanowisko { $product } ({ $user }) znów jest wolne: brak kontaktu z komputerem { $machine }
event-denied = { $user } nie dostaje stanowiska { $product } na komputerze { $machine }
event-waits = { $user } czeka na stanowisko { $product } na komputerze { $machine }
event-passed-over = { $user } czeka na { $product }, ale z komputerem { $machine } nie ma kontaktu: inni mają pierwszeństwo
event-left-queue = { $user } nie czeka już na { $product } na komputerze { $machine }
event-release = Administrator odbiera stanowisko { $product } na komputerze { $machine } ({ $user })
event-borrow = { $user } zabiera ze sobą stanowisko { $product } na komputerze { $machine }
event-borrow-over = Stanowisko { $product } ({ $user }) wróciło z komputera { $machine }
event-device-admitted = { $machine } dołącza do biura
event-device-set = Zmieniono ustawienia komputera { $machine }
event-device-revoked = Wykluczono komputer { $machine }
event-device-lost = Zgłoszono zgubienie komputera { $machine }
event-device-found = Komputer { $machine } się odnalazł
event-invite-created = Utworzono zaproszenie
event-invite-revoked = Zamknięto zaproszenie
event-limit-set = Zmieniono limit programu { $product }
event-license-added = Wczytano licencję na { $product }
event-license-removed = Usunięto licencję na { $product }
event-license-ended = Wygasła licencja na { $product }
event-pool-key-rotated = Wymieniono klucz podpisujący
event-organisation-set = Zmieniono organizację
event-placement-set = Zmieniono reguły przynależności komputerów
event-recalculated = Przeliczono pokrycie
event-device-left = { $machine } opuszcza biuro
event-admin-added = Dodano administratora
event-admin-removed = Usunięto administratora
event-vendor-trusted = Dodano zaufanego producenta
event-group-set = Zmieniono grupę użytkowników
event-priority-set = Zmieniono pierwszeństwo w kolejkach
event-node-limits-set = Zmieniono limity jednostki ({ $product })
event-purchase-set = Zarejestrowano zakup
event-purchase-removed = Usunięto zakup
event-allocation-set = Zmieniono przydział zakupu
event-stop-at-legal-set = Zmieniono, czy pokrycie przekracza granice osób prawnych
event-catalog-set = Zmieniono katalog programów
event-machines-imported = Wczytano, co jest zainstalowane na komputerach
event-machines-removed = Usunięto wczytane komputery
event-site-trusted = Dodano zaufane biuro
