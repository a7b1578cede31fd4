# Somebody with the key of an enrolled machine speaks for another generation of the site: everybody refuses.

office 4 desktops seats 1 ttl 15s
> 3 voters, 1 standby, 0 spares
call Restored a standby
rival Restored
> refused 6 times
checkout eva@Restored as a
> granted
