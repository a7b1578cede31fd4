# An answer is lost and the holder dies. The same request goes to the next one, and acts once.

office 5 desktops seats 2 ttl 15s
> 3 voters, 2 standbys, 0 spares
call Old the holder
call Desk a standby
deafen Desk to Old
ask eva@Desk as a
wait 200ms
show a
> waits for an answer
show seats
> 1 of 2 taken in the books; used by nobody
kill Old
heal
await a has a seat within 5s
> yes
show log of a
> 1 request, more than once in the log, 1 seat
show seats
> 1 of 2 taken in the books; used by a
